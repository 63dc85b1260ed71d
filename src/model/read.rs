//! Reads the documents of a file, remembering where each stands.

use std::sync::Arc;

use schemars::Schema;
use schemars::SchemaGenerator;
use serde::de::DeserializeOwned;

use super::Channel;
use super::Cluster;
use super::Component;
use super::Host;
use super::Package;
use super::Platform;
use super::Subscription;
use super::Task;
use super::Tenant;
use super::digest::Digest;
use super::finding::Finding;
use super::finding::Place;
use super::names::Name;
use super::snapshot::File;
use super::snapshot::Snapshot;
use super::typed;
use super::typed::Mismatch;
use super::yaml;
use super::yaml::Mark;
use super::yaml::Node;

/// The only `apiVersion` there is.
pub const API_VERSION: &str = "tenantry.dev/v1";

/// Where a document stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    pub file: Arc<str>,
    /// Its position among the documents of the file, counted from zero.
    pub ordinal: usize,
    /// Its first line.
    pub line: u32,
}

impl Origin {
    /// The place of a field, such as `spec.package`, found by reading the file once more:
    /// findings are few, and marks for every value of every document would not be.
    pub fn locate(&self, snapshot: &Snapshot, path: &str) -> Place {
        let mark = snapshot
            .files
            .get(&self.file)
            .and_then(|file| {
                yaml::read(&file.content).0.get(self.ordinal).map(|node| node.locate(path))
            })
            .unwrap_or(Mark { line: self.line, column: 1 });
        place(&self.file, mark)
    }
}

/// A document: a name, a specification and where both stand.
#[derive(Clone, Debug)]
pub struct Document<T> {
    pub name: Name,
    pub origin: Origin,
    /// A digest of the specification: equal digests mean the same, however it is laid out.
    pub digest: Digest,
    pub spec: T,
}

macro_rules! kinds {
    ($($kind:ident),+ $(,)?) => {
        /// A document of any kind.
        #[derive(Clone, Debug)]
        pub enum AnyDocument {
            $($kind(Arc<Document<$kind>>)),+
        }

        /// The names of all kinds.
        pub const KINDS: &[&str] = &[$(stringify!($kind)),+];

        impl AnyDocument {
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$kind(_) => stringify!($kind)),+ }
            }

            pub fn name(&self) -> &Name {
                match self { $(Self::$kind(document) => &document.name),+ }
            }

            pub fn origin(&self) -> &Origin {
                match self { $(Self::$kind(document) => &document.origin),+ }
            }

            fn read(kind: &str, name: Name, origin: Origin, spec: &Node) -> Option<Result<Self, Mismatch>> {
                match kind {
                    $(stringify!($kind) => Some(read_spec(name, origin, spec).map(|document| Self::$kind(Arc::new(document)))),)+
                    _ => None,
                }
            }
        }

        /// The JSON Schema of a kind's specification.
        pub(super) fn spec_schema(kind: &str, generator: &mut SchemaGenerator) -> Option<Schema> {
            match kind {
                $(stringify!($kind) => Some(generator.subschema_for::<$kind>()),)+
                _ => None,
            }
        }
    };
}

kinds!(Platform, Cluster, Component, Package, Tenant, Subscription, Host, Channel, Task);

impl AnyDocument {
    /// The tenant whose it is; none for what serves all.
    pub fn tenant(&self) -> Option<&Name> {
        match self {
            Self::Tenant(document) => Some(&document.name),
            Self::Subscription(document) => Some(&document.spec.tenant),
            Self::Host(document) => Some(&document.spec.tenant),
            Self::Task(document) => Some(&document.spec.tenant),
            Self::Platform(_)
            | Self::Cluster(_)
            | Self::Component(_)
            | Self::Package(_)
            | Self::Channel(_) => None,
        }
    }
}

fn read_spec<T: DeserializeOwned>(
    name: Name,
    origin: Origin,
    spec: &Node,
) -> Result<Document<T>, Mismatch> {
    let digest = Digest::of_json(&spec.to_json());
    Ok(Document { name, origin, digest, spec: typed::read(spec)? })
}

/// What one file holds: the documents that could be read, and what is wrong with the others.
#[derive(Clone, Debug)]
pub struct FileDocuments {
    pub file: Arc<str>,
    pub digest: Digest,
    pub documents: Vec<AnyDocument>,
    /// What is known of the documents that could not be read.
    pub broken: Vec<Broken>,
    pub findings: Vec<Finding>,
}

/// What is known of a document that could not be read. A text that is no YAML has none of it.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Which of the file's findings says what is wrong.
    pub finding: usize,
    /// Its kind and name, where both can be made out.
    pub identity: Option<(&'static str, Name)>,
    /// The tenant whose it says it is.
    pub tenant: Option<Name>,
}

impl Broken {
    fn of(node: &Node, finding: usize) -> Self {
        let text = |node: Option<&Node>| match node.map(|node| &node.value) {
            Some(yaml::Value::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let kind = text(node.get("kind"))
            .and_then(|kind| KINDS.iter().copied().find(|known| *known == kind));
        let name = |node: Option<&Node>| text(node)?.parse::<Name>().ok();
        let own = name(node.get("metadata").and_then(|metadata| metadata.get("name")));
        Self {
            finding,
            identity: kind.zip(own),
            tenant: name(node.get("spec").and_then(|spec| spec.get("tenant"))),
        }
    }
}

/// Reads the documents of a file. It never fails as a whole: what is broken is a finding.
pub fn read_file(file: &File) -> FileDocuments {
    if let Some(unread) = &file.unread {
        let finding = Finding::error("unread-file", Place::file(&file.path), &unread.message);
        return FileDocuments {
            file: Arc::clone(&file.path),
            digest: file.digest,
            documents: Vec::new(),
            broken: Vec::new(),
            findings: vec![finding.help(unread.help)],
        };
    }
    let (nodes, refusals) = yaml::read(&file.content);
    let mut findings: Vec<Finding> = refusals
        .into_iter()
        .map(|refusal| Finding {
            help: refusal.help.map(Into::into),
            ..Finding::error("unreadable-yaml", place(&file.path, refusal.mark), refusal.message)
        })
        .collect();
    let mut documents = Vec::new();
    let mut broken = Vec::new();
    for (ordinal, node) in nodes.iter().enumerate() {
        let origin = Origin { file: Arc::clone(&file.path), ordinal, line: node.mark.line };
        match read_document(node, origin) {
            Ok(document) => documents.push(document),
            Err(finding) => {
                broken.push(Broken::of(node, findings.len()));
                findings.push(*finding);
            }
        }
    }
    let path = Arc::clone(&file.path);
    FileDocuments { file: path, digest: file.digest, documents, broken, findings }
}

fn read_document(node: &Node, origin: Origin) -> Result<AnyDocument, Box<Finding>> {
    let file = Arc::clone(&origin.file);
    let wrong = |mark: Mark, rule: &'static str, message: String, help: String| {
        Box::new(Finding::error(rule, place(&file, mark), message).help(help))
    };
    let yaml::Value::Map(entries) = &node.value else {
        let help = "start with `apiVersion: tenantry.dev/v1`".into();
        return Err(wrong(node.mark, "not-a-document", "a document is a map".into(), help));
    };
    let fields = ["apiVersion", "kind", "metadata", "spec"];
    if let Some((key, _)) = entries.iter().find(|(key, _)| !fields.contains(&key.text.as_str())) {
        let message = format!("there is no field `{}` here", key.text);
        return Err(wrong(
            key.mark,
            "unknown-field",
            message,
            typed::suggestion(&key.text, &fields),
        ));
    }
    let field = |name: &str| {
        node.get(name).ok_or_else(|| {
            wrong(
                node.mark,
                "missing-field",
                format!("the field `{name}` is missing"),
                format!("add `{name}`"),
            )
        })
    };
    let mismatch = |mismatch: Mismatch| {
        let place = place(&file, mismatch.mark.unwrap_or(node.mark));
        Box::new(Finding {
            help: mismatch.help,
            ..Finding::error(mismatch.rule, place, mismatch.message)
        })
    };
    let version = field("apiVersion")?;
    if version.value != yaml::Value::Text(API_VERSION.into()) {
        let help = format!("write `apiVersion: {API_VERSION}`");
        return Err(wrong(
            version.mark,
            "unknown-version",
            "this `apiVersion` is not known".into(),
            help,
        ));
    }
    let kind = field("kind")?;
    let kind_name: String = typed::read(kind).map_err(mismatch)?;
    let metadata: Metadata = typed::read(field("metadata")?).map_err(mismatch)?;
    let spec = field("spec")?;
    if let Some(document) = AnyDocument::read(&kind_name, metadata.name, origin, spec) {
        document.map_err(mismatch)
    } else {
        let message = format!("there is no kind `{kind_name}`");
        Err(wrong(kind.mark, "unknown-kind", message, typed::suggestion(&kind_name, KINDS)))
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: Name,
}

fn place(file: &Arc<str>, mark: Mark) -> Place {
    Place { file: Arc::clone(file), line: mark.line, column: mark.column }
}

/// The tenant whose folder a path is in: `tenants/<tenant>/…`.
pub fn folder_of(path: &str) -> Option<&str> {
    let (tenant, _) = path.strip_prefix("tenants/")?.split_once('/')?;
    Some(tenant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Commit;

    #[track_caller]
    fn findings_of(text: &str) -> Vec<String> {
        let snapshot = Snapshot::of(Commit::new("0"), [("a.yaml", text)]);
        let read = read_file(&snapshot.files["a.yaml"]);
        read.findings
            .iter()
            .map(|finding| {
                format!(
                    "{}:{} {} [{}] {}",
                    finding.place.line,
                    finding.place.column,
                    finding.message,
                    finding.rule,
                    finding.help.as_deref().unwrap_or("")
                )
            })
            .collect()
    }

    const TENANT: &str = "apiVersion: tenantry.dev/v1\nkind: Tenant\nmetadata:\n  name: acme\nspec:\n  organisation: ACME Corp\n  contacts: [{email: admin@acme.com}]\n";

    #[test]
    fn a_good_document_has_no_finding() {
        assert_eq!(findings_of(TENANT), [""; 0]);
    }

    #[test]
    fn a_broken_document_is_told_with_its_place_and_the_others_are_read() {
        let text = format!(
            "{TENANT}---\n{}---\n{}",
            TENANT.replace("organisation", "organization"),
            TENANT.replace("Tenant", "Tenent")
        );
        let snapshot = Snapshot::of(Commit::new("0"), [("a.yaml", &text)]);
        let read = read_file(&snapshot.files["a.yaml"]);
        assert_eq!(read.documents.len(), 1);
        assert_eq!(
            findings_of(&text),
            [
                "14:3 there is no field `organization` here [unknown-field] did you mean `organisation`?",
                "18:7 there is no kind `Tenent` [unknown-kind] did you mean `Tenant`?",
            ]
        );
    }

    #[test]
    fn a_broken_document_is_still_known_by_its_name() {
        let text = TENANT.replace("organisation", "organization");
        let snapshot = Snapshot::of(Commit::new("0"), [("a.yaml", text)]);
        let read = read_file(&snapshot.files["a.yaml"]);
        let (kind, name) = read.broken[0].identity.as_ref().unwrap();
        assert_eq!((*kind, name.as_str()), ("Tenant", "acme"));
        assert_eq!(read.findings[read.broken[0].finding].rule, "unknown-field");
    }

    #[test]
    fn a_file_whose_content_was_not_read_is_a_finding() {
        let unread = crate::model::snapshot::Unread {
            message: "this is a symbolic link".into(),
            help: "put the file itself here",
        };
        let read = read_file(&File::unread("a.yaml".into(), b"", unread));
        assert_eq!(read.findings[0].message, "this is a symbolic link");
        assert_eq!(read.findings[0].help.as_deref(), Some("put the file itself here"));
    }

    #[test]
    fn a_field_is_found_again_by_its_path() {
        let snapshot = Snapshot::of(Commit::new("0"), [("a.yaml", TENANT)]);
        let read = read_file(&snapshot.files["a.yaml"]);
        let place = read.documents[0].origin().locate(&snapshot, "spec.contacts.0.email");
        assert_eq!((place.line, place.column), (7, 22));
    }

    #[test]
    fn a_path_tells_whose_folder_it_is() {
        assert_eq!(folder_of("tenants/acme/school.yaml"), Some("acme"));
        assert_eq!(folder_of("tenants/acme.yaml"), None);
        assert_eq!(folder_of("packages/basic.yaml"), None);
    }
}
