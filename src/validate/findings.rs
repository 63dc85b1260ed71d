//! Collects findings, and remembers whom each of them holds.
//!
//! Rules name a field by its path. Lines and columns are looked up at the end, each file once:
//! findings are few, and marks for every value of every document would not be.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::HashSet;
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
use crate::model::yaml::Mark;

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

/// The findings of a rule so far, or of all of them.
pub(super) struct Findings {
    /// The rule that is looking.
    rule: &'static str,
    drafts: Vec<Draft>,
}

impl Findings {
    /// Nothing yet, by this rule.
    pub(super) fn of(rule: &'static str) -> Self {
        Self { rule, drafts: Vec::new() }
    }

    /// Those of several rules, one after the other.
    pub(super) fn all(of_rules: Vec<Self>) -> Self {
        let drafts = of_rules.into_iter().flat_map(|findings| findings.drafts).collect();
        Self { rule: "", drafts }
    }

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
        let places = places(&self.drafts, snapshot);
        let place = |at: &At| match places.get(&at.key()) {
            Some(mark) => {
                Place { file: Arc::clone(&at.file), line: mark.line, column: mark.column }
            }
            None => Place::file(&at.file),
        };
        let placed = self.drafts.iter().map(|draft| {
            let related = draft.related.iter().map(|(at, what)| (place(at), what.clone()));
            let finding = Finding {
                place: place(&draft.at),
                rule: draft.rule,
                severity: draft.severity,
                message: draft.message.clone(),
                help: draft.help.clone(),
                related: related.collect(),
            };
            (finding, draft.holds.clone())
        });
        placed.collect()
    }
}

/// What tells one field from another.
type Key<'a> = (&'a str, Option<(usize, u32)>, &'a str);

impl At {
    fn key(&self) -> Key<'_> {
        (&self.file, self.document, &self.path)
    }
}

/// The marks of every field that is pointed at. Each file is read once more, one at a time.
fn places<'a>(drafts: &'a [Draft], snapshot: &Snapshot) -> HashMap<Key<'a>, Mark> {
    let mut by_file: HashMap<&str, HashSet<Key<'_>>> = HashMap::new();
    for at in drafts
        .iter()
        .flat_map(|draft| [&draft.at].into_iter().chain(draft.related.iter().map(|(at, _)| at)))
    {
        by_file.entry(&at.file).or_default().insert(at.key());
    }
    let mut places = HashMap::new();
    for (path, keys) in by_file {
        let file = snapshot.files.get(path);
        let nodes = file.map(|file| yaml::read(&file.content).0).unwrap_or_default();
        for key in keys {
            let (_, Some((ordinal, line)), path) = key else { continue };
            let mark = nodes.get(ordinal).map(|node| node.locate(path));
            places.insert(key, mark.unwrap_or(Mark { line, column: 1 }));
        }
    }
    places
}
