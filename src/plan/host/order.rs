//! In which order a host's resources are made: each after what it needs.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::Finding;
use crate::model::host::Catalog;
use crate::model::host::HostResource;
use crate::model::host::HostResourceId;
use crate::model::host::Kind;
use crate::model::typed::nearest;

use super::kinds;

/// A catalog in the order in which it is carried out, each resource with the positions of those
/// that it needs.
#[derive(Clone, Debug)]
pub struct Ordered {
    pub resources: Vec<HostResource>,
    pub(super) needs: Vec<Vec<usize>>,
}

impl Ordered {
    /// Orders a catalog, or tells what is wrong with it: something that it needs and does not ask
    /// for, something that is asked for twice, or a circle.
    pub fn of(catalog: Catalog) -> Result<Self, Vec<Finding>> {
        let mut findings = Vec::new();
        let mut positions: BTreeMap<&HostResourceId, usize> = BTreeMap::new();
        for (position, resource) in catalog.resources.iter().enumerate() {
            if let Some(first) = positions.insert(&resource.id, position) {
                let message = format!("`{}` is asked for twice", resource.id);
                let first = catalog.resources[first].place.clone();
                findings.push(
                    Finding::error("duplicate-resource", resource.place.clone(), message)
                        .help("take one of them away")
                        .related(first, "the first time"),
                );
            }
        }
        let needs: Vec<Vec<usize>> = catalog
            .resources
            .iter()
            .map(|resource| found(resource, &catalog, &positions))
            .collect();
        for resource in &catalog.resources {
            findings.extend(missing(resource, &positions));
        }
        let lateness: Vec<u8> =
            catalog.resources.iter().map(|resource| kinds::lateness(resource.id.kind)).collect();
        let order = order(&needs, &lateness).map_err(|circle| told(&circle, &catalog));
        match order {
            Ok(order) if findings.is_empty() => Ok(Self::sorted(catalog, &order, &needs)),
            Ok(_) => Err(findings),
            Err(circle) => {
                findings.push(circle);
                Err(findings)
            }
        }
    }

    fn sorted(catalog: Catalog, order: &[usize], needs: &[Vec<usize>]) -> Self {
        let mut places = vec![0; order.len()];
        for (place, position) in order.iter().enumerate() {
            places[*position] = place;
        }
        let mut resources: Vec<Option<HostResource>> =
            catalog.resources.into_iter().map(Some).collect();
        let sorted = order.iter().filter_map(|position| resources[*position].take()).collect();
        let needs = order
            .iter()
            .map(|position| needs[*position].iter().map(|need| places[*need]).collect())
            .collect();
        Self { resources: sorted, needs }
    }
}

/// What a resource needs of what is asked for.
fn found(
    resource: &HostResource,
    catalog: &Catalog,
    positions: &BTreeMap<&HostResourceId, usize>,
) -> Vec<usize> {
    let mut found: BTreeSet<usize> =
        kinds::needs(resource).iter().filter_map(|need| positions.get(need).copied()).collect();
    // What says what a unit is has to be there before it.
    if resource.id.kind == Kind::Unit {
        let describes = |other: &HostResource| {
            other.id.kind == Kind::File && kinds::describes(&other.id.name, &resource.id.name)
        };
        let files = catalog.resources.iter().enumerate().filter(|(_, other)| describes(other));
        found.extend(files.map(|(position, _)| position));
    }
    found.into_iter().collect()
}

/// What a resource says in so many words that it needs, and nobody asks for.
fn missing<'a>(
    resource: &'a HostResource,
    positions: &'a BTreeMap<&HostResourceId, usize>,
) -> impl Iterator<Item = Finding> + 'a {
    let mut named = resource.needs.clone();
    if resource.id.kind == Kind::Unit {
        named = kinds::needs(resource);
    }
    named.into_iter().filter(|need| !positions.contains_key(need)).map(move |need| {
        let message =
            format!("`{}` needs `{need}`, which the catalog does not ask for", resource.id);
        let finding = Finding::error("unknown-resource", resource.place.clone(), message);
        let known: Vec<String> = positions.keys().map(ToString::to_string).collect();
        match nearest(&need.to_string(), known.iter().map(String::as_str)) {
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None => finding.help("ask for it, or take it out of what this needs"),
        }
    })
}

/// Each after what it needs, and otherwise as they stand, the late ones last. Or a circle.
fn order(needs: &[Vec<usize>], lateness: &[u8]) -> Result<Vec<usize>, Vec<usize>> {
    let mut order = Vec::with_capacity(needs.len());
    let mut done = vec![false; needs.len()];
    while order.len() < needs.len() {
        let ready =
            |position: &usize| !done[*position] && needs[*position].iter().all(|need| done[*need]);
        let Some(next) = (0..needs.len()).filter(ready).min_by_key(|next| lateness[*next]) else {
            return Err(circle(needs, &done));
        };
        done[next] = true;
        order.push(next);
    }
    Ok(order)
}

/// Follows what is needed until something comes up again.
fn circle(needs: &[Vec<usize>], done: &[bool]) -> Vec<usize> {
    let mut way: Vec<usize> = done.iter().position(|done| !done).into_iter().collect();
    while let Some(next) =
        way.last().and_then(|last| needs[*last].iter().find(|need| !done[**need]))
    {
        if let Some(start) = way.iter().position(|position| position == next) {
            return way.split_off(start);
        }
        way.push(*next);
    }
    way
}

fn told(circle: &[usize], catalog: &Catalog) -> Finding {
    let names: Vec<String> = circle
        .iter()
        .chain(circle.first())
        .map(|position| format!("`{}`", catalog.resources[*position].id))
        .collect();
    let place = circle.first().map(|position| catalog.resources[*position].place.clone());
    let place = place.expect("a circle has somebody in it");
    let message = format!("these need one another in a circle: {}", names.join(" -> "));
    Finding::error("resource-cycle", place, message).help("take one of these needs away")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::Place;
    use crate::model::host::catalog;
    use crate::model::yaml;

    pub(in crate::plan::host) fn catalog(text: &str) -> Catalog {
        let (documents, refusals) = yaml::read(text.as_bytes());
        assert_eq!(refusals, []);
        let place = |mark: yaml::Mark| Place {
            file: "catalog".into(),
            line: mark.line,
            column: mark.column,
        };
        Catalog { resources: catalog::read(&documents[0], &place).unwrap() }
    }

    fn names(text: &str) -> Vec<String> {
        let ordered = Ordered::of(catalog(text)).unwrap();
        ordered.resources.iter().map(|resource| resource.id.to_string()).collect()
    }

    #[test]
    fn what_something_touches_comes_before_it() {
        let order = names(
            "- unit: {name: kkt.service, restartsWith: [file /etc/kkt/env]}\n\
             - file: {path: /etc/systemd/system/kkt.service, content: x}\n\
             - file: {path: /etc/kkt/env, owner: kkt, content: x}\n\
             - directory: {path: /etc/kkt}\n\
             - user: {name: kkt, groups: [adm2]}\n\
             - group: {name: adm2}\n",
        );
        let at = |name: &str| order.iter().position(|other| other == name).unwrap();
        assert!(at("group adm2") < at("user kkt"));
        assert!(at("user kkt") < at("file /etc/kkt/env"));
        assert!(at("directory /etc/kkt") < at("file /etc/kkt/env"));
        assert!(at("file /etc/kkt/env") < at("unit kkt.service"));
        assert!(at("file /etc/systemd/system/kkt.service") < at("unit kkt.service"));
    }

    #[track_caller]
    fn check(text: &str, rule: &str, line: u32, message: &str) {
        let findings = Ordered::of(catalog(text)).unwrap_err();
        assert_eq!((findings[0].rule, findings[0].place.line), (rule, line), "{findings:?}");
        assert!(findings[0].message.contains(message), "{findings:?}");
    }

    #[test]
    fn a_catalog_that_cannot_be_carried_out_is_refused() {
        let circle = "- package: {name: aa}\n  needs: [package bb]\n\
                      - package: {name: bb}\n  needs: [package aa]\n";
        check(circle, "resource-cycle", 1, "`package aa` -> `package bb` -> `package aa`");
        let twice = "- package: {name: aa}\n- package: {name: aa}\n";
        check(twice, "duplicate-resource", 2, "asked for twice");
        let missing = "- package: {name: aa}\n  needs: [package bb]\n";
        check(missing, "unknown-resource", 1, "does not ask for");
        let unit = "- unit: {name: a.service, restartsWith: [file /etc/a]}\n";
        check(unit, "unknown-resource", 1, "`file /etc/a`");
    }
}
