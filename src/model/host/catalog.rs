//! The catalog of a host: what should be on it, as a list of typed resources.
//!
//! ```yaml
//! - package: { name: nginx }
//! - file: { path: /etc/nginx/conf.d/kkt.conf, template: nginx.conf.j2 }
//!   needs: [package nginx]
//! - unit: { name: nginx.service, reloadsWith: [file /etc/nginx/conf.d/kkt.conf] }
//! ```

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;

use super::cron;
use super::cron::Cron;
use super::kinds::Asked;
use super::kinds::Kind;
use super::kinds::WORDS;
use crate::model::finding::Place;
use crate::model::typed;
use crate::model::typed::Mismatch;
use crate::model::typed::suggestion;
use crate::model::yaml::Key;
use crate::model::yaml::Mark;
use crate::model::yaml::Node;
use crate::model::yaml::Value;

/// What a host should be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalog {
    pub resources: Vec<HostResource>,
}

/// One thing that a host should have.
#[derive(Clone, Debug, PartialEq)]
pub struct HostResource {
    pub id: HostResourceId,
    pub asked: Asked,
    /// What has to be there before it, beside what follows from what it is.
    pub needs: Vec<HostResourceId>,
    /// What becomes of it when the catalog asks for it no more.
    pub on_remove: OnRemove,
    /// Whether what stands there already, and is not ours, may be changed.
    pub adopt: bool,
    /// Where it is asked for.
    pub place: Place,
}

/// Names a resource on its host: `file /etc/motd`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostResourceId {
    pub kind: Kind,
    pub name: Box<str>,
}

/// What becomes of a resource that the catalog asks for no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnRemove {
    /// It is taken off the host.
    Remove,
    /// It stays, and is no longer ours.
    Orphan,
    /// It stays, is listed still, and is told in every plan.
    Keep,
}

impl Kind {
    /// What becomes of a resource of this kind where nobody says otherwise: what a package or a
    /// user leaves behind is worth more than tidiness.
    pub fn usual_removal(self) -> OnRemove {
        match self {
            Self::Package | Self::User | Self::Group => OnRemove::Orphan,
            Self::PostgresRole | Self::PostgresDatabase | Self::GeneratedSecret => OnRemove::Keep,
            _ => OnRemove::Remove,
        }
    }
}

impl fmt::Display for HostResourceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.kind, self.name)
    }
}

impl FromStr for HostResourceId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let told = || {
            format!(
                "`{text}` names no resource: write its kind and its name, such as `file /etc/motd`"
            )
        };
        let (kind, name) = text.split_once(' ').ok_or_else(told)?;
        let kind = Kind::of(kind).ok_or_else(told)?;
        Ok(Self { kind, name: name.into() })
    }
}

impl<'de> Deserialize<'de> for HostResourceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for HostResourceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads the entries of a catalog. `place` tells where a line of the text comes from.
pub fn read(node: &Node, place: &impl Fn(Mark) -> Place) -> Result<Vec<HostResource>, Mismatch> {
    let Value::List(entries) = &node.value else {
        let message = "a catalog is a list of resources".to_owned();
        let help = Some("begin each with its kind, such as `- package: {name: nginx}`".into());
        return Err(Mismatch { mark: Some(node.mark), rule: "wrong-type", message, help });
    };
    let mut resources = Vec::with_capacity(entries.len());
    for entry in entries {
        resources.extend(read_entry(entry, &place(entry.mark))?);
    }
    Ok(resources)
}

/// What an entry says beside its kind.
#[derive(Default)]
struct Beside {
    needs: Vec<HostResourceId>,
    on_remove: Option<OnRemove>,
    adopt: bool,
}

/// One entry: a resource, or those of which a `cron` is made.
fn read_entry(entry: &Node, place: &Place) -> Result<Vec<HostResource>, Mismatch> {
    let wrong = |mark, message: String, help: String| Mismatch {
        mark: Some(mark),
        rule: "wrong-type",
        message,
        help: Some(help),
    };
    let Value::Map(fields) = &entry.value else {
        let message = "a resource begins with its kind".to_owned();
        return Err(wrong(entry.mark, message, suggestion("", WORDS)));
    };
    let mut beside = Beside::default();
    let mut kind: Option<(&Key, &Node)> = None;
    for (key, value) in fields {
        match key.text.as_str() {
            "needs" => beside.needs = typed::read(value)?,
            "onRemove" => beside.on_remove = Some(typed::read(value)?),
            "adopt" => beside.adopt = typed::read(value)?,
            word if word != CRON && Kind::of(word).is_none() => {
                let message = format!("there is no kind `{word}` of resources");
                return Err(wrong(key.mark, message, suggestion(word, WORDS)));
            }
            word if kind.is_some() => {
                let message = format!("a resource is of one kind, and this is `{word}` besides");
                return Err(wrong(key.mark, message, "make two entries of them".into()));
            }
            _ => kind = Some((key, value)),
        }
    }
    let made = |asked: Asked, mut needs: Vec<HostResourceId>| {
        let kind = asked.kind();
        needs.extend(beside.needs.iter().cloned());
        HostResource {
            id: HostResourceId { kind, name: asked.name().into() },
            needs,
            on_remove: beside.on_remove.unwrap_or(kind.usual_removal()),
            adopt: beside.adopt,
            asked,
            place: place.clone(),
        }
    };
    match kind {
        None => {
            let message = "this resource has no kind".to_owned();
            Err(wrong(entry.mark, message, suggestion("", WORDS)))
        }
        Some((key, value)) if key.text == CRON => {
            Ok(cron::resources(&typed::read::<Cron>(value)?, made))
        }
        Some((key, value)) => Ok(vec![made(typed::read(&alone(key, value))?, Vec::new())]),
    }
}

/// What runs by the clock is made of others.
const CRON: &str = "cron";

/// The field of a map, as a map that has no other.
fn alone(key: &Key, value: &Node) -> Node {
    Node { mark: value.mark, value: Value::Map(vec![(key.clone(), value.clone())]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::yaml;

    fn catalog(text: &str) -> Result<Vec<HostResource>, Mismatch> {
        let (documents, refusals) = yaml::read(text.as_bytes());
        assert_eq!(refusals, []);
        let place =
            |mark: Mark| Place { file: "catalog".into(), line: mark.line, column: mark.column };
        read(&documents[0], &place)
    }

    #[test]
    fn resources_are_read_with_what_they_need_and_where_they_stand() {
        let read = catalog(
            "- package: {name: nginx}\n\
             - file: {path: /etc/motd, content: hello, mode: \"0600\"}\n\
             \x20 needs: [package nginx]\n\
             \x20 onRemove: keep\n",
        )
        .unwrap();
        assert_eq!(read[0].id.to_string(), "package nginx");
        assert_eq!(read[0].on_remove, OnRemove::Orphan);
        assert_eq!(read[1].needs, ["package nginx".parse().unwrap()]);
        assert_eq!((read[1].on_remove, read[1].place.line), (OnRemove::Keep, 2));
    }

    #[test]
    fn the_text_of_a_file_does_not_print_itself() {
        let read = catalog("- file: {path: /etc/kkt.env, content: s3cret}\n").unwrap();
        assert!(!format!("{read:?}").contains("s3cret"));
    }

    #[track_caller]
    fn check(text: &str, line: u32, message: &str) {
        let mismatch = catalog(text).expect_err("a mismatch");
        assert_eq!(mismatch.mark.map(|mark| mark.line), Some(line), "{mismatch:?}");
        assert!(mismatch.message.contains(message), "{mismatch:?}");
    }

    #[test]
    fn what_cannot_be_asked_of_a_host_is_told_with_its_line() {
        check("name: nginx\n", 1, "a catalog is a list");
        check("- packages: {name: nginx}\n", 1, "no kind `packages`");
        check("- needs: []\n", 1, "has no kind");
        check("- group: {name: a}\n  user: {name: a}\n", 2, "is of one kind");
        check("- file:\n    path: ../etc/motd\n", 2, "is not a path");
        check("- file:\n    path: /etc/motd\n    mod: \"0644\"\n", 3, "no field `mod`");
        check("- unit: {name: nginx}\n", 1, "is not the name of a unit");
        check("- unit: {name: a.service, restartsWith: [motd]}\n", 1, "names no resource");
    }
}
