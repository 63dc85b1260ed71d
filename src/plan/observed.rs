//! What is there: the inventory of what we own, and what was last seen of each thing.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;

use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::model::Digest;
use crate::model::Name;
use crate::model::ResourceId;
use crate::model::resource::OnDelete;
use crate::model::resource::Outline;
use crate::model::resource::Stage;

/// What a unit owns on its cluster and database server, and what was last seen of it.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    pub inventory: Inventory,
    /// Everything that carries our label for this unit.
    pub live: BTreeMap<ResourceId, Live>,
    /// Why databases could not be looked at; then their absence from `live` means nothing.
    pub databases_away: Option<String>,
    /// When that is: what is set aside goes when its time has come.
    pub at: Timestamp,
    /// Subscriptions of which nothing is kept any longer, because a commit says so.
    pub purged: BTreeSet<Name>,
}

/// The list of what a unit owns. It lives in the cluster, and is written before what it lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The identity that the cluster gave the parent object; none before it is first written.
    pub uid: Option<Box<str>>,
    /// The version it was read at: a write on top of a newer one is refused.
    pub version: Option<Box<str>>,
    pub entries: BTreeMap<ResourceId, Entry>,
}

/// What the inventory remembers of one thing, so that it can be judged and removed
/// when no document speaks of it any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The version it was last written with, such as `apps/v1`.
    pub api_version: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<Name>,
    pub stage: Stage,
    #[serde(default)]
    pub on_delete: OnDelete,
    /// The digest of the resource that was applied; none while that is not known to have happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendered: Option<Digest>,
    /// [`Live::owned`] as it was just after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owned: Option<Digest>,
    /// Its deletion was allowed. Written before anything goes, so that a run cut short goes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
    /// Of what is made once: until when it could be made. So long it is listed, whatever became of
    /// it and of the document that asked for it, so that nothing makes it a second time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins_before: Option<Timestamp>,
}

impl Entry {
    /// What is remembered of a resource before it is applied.
    pub fn announced(outline: &Outline) -> Self {
        Self {
            api_version: outline.api_version.clone(),
            subscription: outline.subscription.clone(),
            stage: outline.stage,
            on_delete: outline.on_delete,
            rendered: None,
            owned: None,
            leaving: false,
            begins_before: outline.task.as_ref().map(|once| once.begins_before),
        }
    }
}

/// What was last seen of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    pub uid: Box<str>,
    /// A digest of the set of fields that are ours on the live object and of our marks on it.
    /// Whoever changes one of our fields takes it from us, and the digest changes.
    pub owned: Digest,
    /// The digest of the resource that was last applied, from its annotation.
    pub rendered: Option<Digest>,
    /// Labels that somebody else put on it. Labels decide what policies and selectors let in.
    pub foreign_labels: Vec<Box<str>>,
    /// Who changed it last, besides us and the controllers of Kubernetes.
    pub changed_by: Option<Box<str>>,
    pub deleting: bool,
    pub health: Health,
    /// For what is set aside before it is deleted; none for what simply goes.
    pub aside: Option<Aside>,
}

impl Live {
    /// Until when it is set aside, where it is.
    pub fn set_aside(&self) -> Option<Timestamp> {
        match self.aside {
            Some(Aside::Until(until)) => Some(until),
            Some(Aside::For(_)) | None => None,
        }
    }
}

/// What customers wrote is first set aside: nobody reaches it, and a commit can have it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// It is in use. Were it to be deleted, it would be set aside for so long.
    For(SignedDuration),
    /// It is set aside, and goes at this time.
    Until(Timestamp),
}

/// Whether a thing does what it is for, in the sense of kstatus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", content = "reason", rename_all = "lowercase")]
pub enum Health {
    Ready,
    /// Not yet, and why, in words for a person.
    Progressing(String),
    /// Not without somebody's help, and why.
    Failed(String),
}

impl Health {
    pub fn is_ready(&self) -> bool {
        *self == Self::Ready
    }

    /// Why it is not ready.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Ready => None,
            Self::Progressing(reason) | Self::Failed(reason) => Some(reason),
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => out.write_str("ready"),
            Self::Progressing(reason) | Self::Failed(reason) => out.write_str(reason),
        }
    }
}
