//! Collects findings, and remembers whom each of them holds.
//!
//! Rules name a field by its path. Lines and columns are looked up at the end, each file once:
//! findings are few, and marks for every value of every document would not be.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::model::AnyDocument;
use crate::model::Channel;
use crate::model::Cluster;
use crate::model::Component;
use crate::model::Document;
use crate::model::Finding;
use crate::model::Host;
use crate::model::Name;
use crate::model::Package;
use crate::model::Place;
use crate::model::Platform;
use crate::model::Severity;
use crate::model::Snapshot;
use crate::model::Subscription;
use crate::model::Task;
use crate::model::Tenant;
use crate::model::UnitName;
use crate::model::read::Origin;
use crate::model::yaml;
use crate::model::yaml::Node;

/// What a finding is about, which decides who is held by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Subject {
    /// Everybody is held.
    Platform,
    /// Every tenant on it is held.
    Cluster(Name),
    /// Every tenant is held whose packages run it.
    Component(Name),
    /// Every tenant is held that subscribed to it.
    Package(Name),
    Unit(UnitName),
    /// Nobody who converges depends on it.
    Nobody,
}

impl Subject {
    pub(super) fn tenant(name: &Name) -> Self {
        Self::Unit(UnitName::Tenant(name.clone()))
    }

    /// By the name of a document's kind.
    pub(super) fn of_kind(kind: &str, name: &Name) -> Self {
        match kind {
            "Platform" => Self::Platform,
            "Cluster" => Self::Cluster(name.clone()),
            "Component" => Self::Component(name.clone()),
            "Package" => Self::Package(name.clone()),
            "Tenant" => Self::tenant(name),
            "Host" => Self::Unit(UnitName::Host(name.clone())),
            _ => Self::Nobody,
        }
    }
}

/// A field of a document.
#[derive(Clone, Debug)]
pub(super) struct At {
    file: Arc<str>,
    /// The document's position in the file and its line; none for the file as a whole.
    document: Option<(usize, u32)>,
    path: Cow<'static, str>,
    subject: Subject,
}

impl At {
    fn new(origin: &Origin, subject: Subject, path: impl Into<Cow<'static, str>>) -> Self {
        Self {
            file: Arc::clone(&origin.file),
            document: Some((origin.ordinal, origin.line)),
            path: path.into(),
            subject,
        }
    }

    /// A field of another document, to be shown beside a finding.
    pub(super) fn beside(origin: &Origin, path: impl Into<Cow<'static, str>>) -> Self {
        Self::new(origin, Subject::Nobody, path)
    }

    /// A file as a whole, whether it is there or should be.
    pub(super) fn file(file: &str, subject: Subject) -> Self {
        Self { file: file.into(), document: None, path: Cow::Borrowed(""), subject }
    }
}

/// A document whose fields can be pointed at.
pub(super) trait Located {
    fn at(&self, path: impl Into<Cow<'static, str>>) -> At;
}

macro_rules! located {
    ($($kind:ident: |$document:ident| $subject:expr;)+) => {$(
        impl Located for Document<$kind> {
            fn at(&self, path: impl Into<Cow<'static, str>>) -> At {
                let $document = self;
                At::new(&self.origin, $subject, path)
            }
        }
    )+

        impl Located for AnyDocument {
            fn at(&self, path: impl Into<Cow<'static, str>>) -> At {
                match self {
                    $(Self::$kind(document) => document.at(path),)+
                }
            }
        }
    };
}

located! {
    Platform: |_document| Subject::Platform;
    Cluster: |document| Subject::Cluster(document.name.clone());
    Component: |document| Subject::Component(document.name.clone());
    Package: |document| Subject::Package(document.name.clone());
    Tenant: |document| Subject::tenant(&document.name);
    Subscription: |document| Subject::tenant(&document.spec.tenant);
    Host: |document| Subject::Unit(UnitName::Host(document.name.clone()));
    Channel: |_document| Subject::Nobody;
    Task: |document| Subject::tenant(&document.spec.tenant);
}

/// A finding whose places are not looked up yet.
pub(super) struct Draft {
    rule: &'static str,
    severity: Severity,
    at: At,
    message: String,
    help: Option<String>,
    related: Vec<(At, String)>,
    holds: Vec<Subject>,
}

impl Draft {
    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn related(&mut self, at: At, what: impl Into<String>) -> &mut Self {
        self.related.push((at, what.into()));
        self
    }

    /// Holds these instead of whom the document is about.
    pub(super) fn holds(&mut self, whom: impl IntoIterator<Item = Subject>) -> &mut Self {
        self.holds = whom.into_iter().collect();
        self
    }
}

/// The findings of all rules so far.
#[derive(Default)]
pub(super) struct Findings {
    /// The rule that is looking.
    pub(super) rule: &'static str,
    drafts: Vec<Draft>,
}

impl Findings {
    pub(super) fn error(&mut self, at: At, message: impl Into<String>) -> &mut Draft {
        let holds = vec![at.subject.clone()];
        self.add(Severity::Error, at, message.into(), holds)
    }

    pub(super) fn warning(&mut self, at: At, message: impl Into<String>) -> &mut Draft {
        self.add(Severity::Warning, at, message.into(), Vec::new())
    }

    fn add(
        &mut self,
        severity: Severity,
        at: At,
        message: String,
        holds: Vec<Subject>,
    ) -> &mut Draft {
        let (rule, help, related) = (self.rule, None, Vec::new());
        self.drafts.push(Draft { rule, severity, at, message, help, related, holds });
        self.drafts.last_mut().expect("because it was added just now")
    }

    /// How many there are so far.
    pub(super) fn len(&self) -> usize {
        self.drafts.len()
    }

    /// Looks up every place. Each finding comes with those it holds.
    pub(super) fn placed(self, snapshot: &Snapshot) -> Vec<(Finding, Vec<Subject>)> {
        let mut places = Places { snapshot, files: HashMap::new() };
        let placed = self.drafts.into_iter().map(|draft| {
            let finding = Finding {
                place: places.of(&draft.at),
                rule: draft.rule,
                severity: draft.severity,
                message: draft.message,
                help: draft.help,
                related: draft
                    .related
                    .into_iter()
                    .map(|(at, what)| (places.of(&at), what))
                    .collect(),
            };
            (finding, draft.holds)
        });
        placed.collect()
    }
}

/// Reads each file at most once more.
struct Places<'a> {
    snapshot: &'a Snapshot,
    files: HashMap<Arc<str>, Vec<Node>>,
}

impl Places<'_> {
    fn of(&mut self, at: &At) -> Place {
        let Some((ordinal, line)) = at.document else { return Place::file(&at.file) };
        // Findings of one file stand close together; trees of thousands of files would not fit.
        if self.files.len() > 256 && !self.files.contains_key(&at.file) {
            self.files.clear();
        }
        let nodes = self.files.entry(Arc::clone(&at.file)).or_insert_with(|| {
            let file = self.snapshot.files.get(&at.file);
            file.map(|file| yaml::read(&file.content).0).unwrap_or_default()
        });
        let mark = nodes.get(ordinal).map(|node| node.locate(&at.path));
        let (line, column) = mark.map_or((line, 1), |mark| (mark.line, mark.column));
        Place { file: Arc::clone(&at.file), line, column }
    }
}
