//! Equal changes told once: a package that changes for 400 tenants is one change and a number.
//!
//! Changes are equal when they are after the names in them (the tenant's, its namespaces', its
//! subscriptions') are taken for what they stand for. What a person sees is one tenant's own.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::model::Digest;
use crate::model::UnitName;

use super::preview::Item;
use super::preview::Mark;
use super::preview::Preview;
use super::preview::UnitPreview;

/// Units with equal changes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group<'a> {
    /// The first of them by name: what is shown of it holds for all.
    #[serde(rename = "shown")]
    pub example: &'a UnitPreview,
    /// All of them, by name, the example first.
    pub units: Vec<&'a UnitName>,
}

/// Puts units with equal changes together: the most common changes first, outliers last.
pub fn groups(preview: &Preview) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<Digest, Group<'_>> = BTreeMap::new();
    for unit in &preview.units {
        groups
            .entry(abstracted(unit))
            .or_insert_with(|| Group { example: unit, units: Vec::new() })
            .units
            .push(&unit.unit);
    }
    let mut groups: Vec<Group<'_>> = groups.into_values().collect();
    groups.sort_by(|one, other| {
        other.units.len().cmp(&one.units.len()).then_with(|| one.units[0].cmp(other.units[0]))
    });
    groups
}

/// A digest of the changes of a unit without the names that are its own.
fn abstracted(unit: &UnitPreview) -> Digest {
    let names = Names::of(unit);
    let items: Vec<Value> = unit.items.iter().map(|item| names.abstract_item(item)).collect();
    let blocked: Vec<Value> = unit
        .blocked
        .iter()
        .map(|blocked| Value::from(names.abstract_text(&format!("{blocked:?}"))))
        .collect();
    Digest::of_json(&(items, blocked))
}

/// The names that are a unit's own, and what they stand for.
struct Names {
    /// The longest first, so that no name is taken for a part of itself.
    stands_for: Vec<(String, String)>,
}

impl Names {
    fn of(unit: &UnitPreview) -> Self {
        let mut stands_for = vec![(unit.unit.name().to_string(), "{tenant}".to_owned())];
        let mut know = |name: &str, kind: &str| {
            if !name.is_empty() && stands_for.iter().all(|(known, _)| known != name) {
                let place = format!("{{{kind} {}}}", stands_for.len());
                stands_for.push((name.to_owned(), place));
            }
        };
        for item in &unit.items {
            let id = &item.resource;
            know(if id.is_namespace() { &id.name } else { &id.namespace }, "namespace");
            if let Some(subscription) = &item.subscription {
                know(subscription.as_str(), "subscription");
            }
        }
        stands_for.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Self { stands_for }
    }

    fn abstract_item(&self, item: &Item) -> Value {
        let id = &item.resource;
        let name = without_hash(&id.name);
        let mut told = vec![
            format!("{:?} {} {}", item.action, id.group, id.kind),
            self.abstract_text(&id.namespace),
            self.abstract_text(name),
            self.abstract_text(item.why.as_deref().unwrap_or_default()),
        ];
        // How many things go with a namespace is told; for equality it must be the same.
        told.push(item.takes_along.to_string());
        if item.action == Mark::Update {
            for difference in &item.differences {
                let marks = difference.path.contains("annotations");
                let text = serde_json::to_string(difference).unwrap_or_default();
                let text = self.abstract_text(&text);
                // A checksum of settings differs from tenant to tenant, and says nothing more.
                told.push(if marks { without_digests(&text) } else { text });
            }
        }
        Value::from(told)
    }

    /// Puts what names stand for in their place, where they are words of their own.
    fn abstract_text(&self, text: &str) -> String {
        let mut rest = text;
        let mut abstracted = String::with_capacity(text.len());
        let mut word_before = false;
        while let Some(first) = rest.chars().next() {
            let known = self.stands_for.iter().find(|(name, _)| {
                !word_before
                    && rest.strip_prefix(name.as_str()).is_some_and(|after| {
                        !after.starts_with(|next: char| next.is_ascii_alphanumeric())
                    })
            });
            if let Some((name, place)) = known {
                abstracted.push_str(place);
                rest = &rest[name.len()..];
                word_before = true;
            } else {
                abstracted.push(first);
                rest = &rest[first.len_utf8()..];
                word_before = first.is_ascii_alphanumeric();
            }
        }
        abstracted
    }
}

/// `migrate-1f3870be` is a migration, whatever it runs with.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((name, hash)) if is_hash(hash) => name,
        _ => name,
    }
}

fn is_hash(word: &str) -> bool {
    word.len() >= 8
        && word.bytes().all(|byte| byte.is_ascii_hexdigit())
        && word.bytes().any(|byte| byte.is_ascii_digit())
}

fn without_digests(text: &str) -> String {
    text.split('"').filter(|word| !is_hash(word)).collect::<Vec<_>>().join("\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_stand_for_something() {
        let names = Names {
            stands_for: vec![
                ("kiteclass-acme".into(), "{namespace}".into()),
                ("acme".into(), "{tenant}".into()),
            ],
        };
        for (text, abstracted) in [
            ("acme.example.com", "{tenant}.example.com"),
            ("kiteclass-acme", "{namespace}"),
            ("n8n-acme/acme", "n8n-{tenant}/{tenant}"),
            ("acmeist, my_acme", "acmeist, my_{tenant}"),
            ("đacme acme", "đ{tenant} {tenant}"),
        ] {
            assert_eq!(names.abstract_text(text), abstracted);
        }
    }

    #[test]
    fn the_hash_in_a_name_is_no_part_of_it() {
        assert_eq!(without_hash("migrate-1f3870be"), "migrate");
        assert_eq!(without_hash("feed-cafe"), "feed-cafe");
        assert_eq!(without_hash("my-facade"), "my-facade");
    }
}
