//! What could not be read: whose it is, and what may stand in it.

use std::collections::HashMap;
use std::collections::HashSet;

use super::findings::Subject;
use crate::model::Configuration;
use crate::model::Finding;
use crate::model::Name;
use crate::model::Snapshot;
use crate::model::read::Broken;
use crate::model::read::FileDocuments;
use crate::model::read::folder_of;

/// What is known of the documents that could not be read.
#[derive(Default)]
pub(super) struct Unread<'a> {
    /// Broken documents whose kind and name can be made out.
    known: HashSet<(&'static str, &'a str)>,
    /// Tenants' folders in which a text is no YAML at all.
    folders: HashSet<&'a str>,
    /// Names that stand in texts outside of those folders that are no YAML, with their files.
    mentioned: HashMap<&'a str, &'a str>,
}

impl<'a> Unread<'a> {
    pub(super) fn of(configuration: &'a Configuration, snapshot: &'a Snapshot) -> Self {
        let mut unread = Self::default();
        for file in configuration.files.iter().filter(|file| !file.findings.is_empty()) {
            unread.known.extend(
                file.broken
                    .iter()
                    .filter_map(|broken| broken.identity.as_ref())
                    .map(|(kind, name)| (*kind, name.as_str())),
            );
            let made_out = file.broken.iter().filter(|broken| broken.identity.is_some()).count();
            if made_out == file.findings.len() {
                continue;
            }
            if let Some(folder) = folder_of(&file.file) {
                unread.folders.insert(folder);
            } else {
                let text = snapshot.text(&file.file).unwrap_or_default();
                unread.mentioned.extend(names_in(text).map(|name| (name, &*file.file)));
            }
        }
        unread
    }

    /// Whether a document that is not there may be one that could not be read:
    /// that has a finding already, which says more than "it is not there".
    pub(super) fn may_be(&self, kind: &'static str, name: &Name) -> bool {
        self.known.contains(&(kind, name.as_str()))
            || self.mentioned.contains_key(name.as_str())
            || (kind == "Tenant" && self.folders.contains(name.as_str()))
    }

    /// Whether some document of this kind could not be read.
    pub(super) fn knows_any(&self, kind: &'static str) -> bool {
        self.known.iter().any(|(known, _)| *known == kind)
    }

    /// Whether something in a tenant's folder could not be read.
    pub(super) fn in_folder_of(&self, tenant: &Name) -> bool {
        self.folders.contains(tenant.as_str())
    }
}

/// Every word that follows `name:`.
fn names_in(text: &str) -> impl Iterator<Item = &str> {
    text.split("name:").skip(1).filter_map(|rest| {
        let rest = rest.trim_start_matches([' ', '"', '\'']);
        let end = rest.find(|next: char| !next.is_ascii_alphanumeric() && next != '-');
        Some(&rest[..end.unwrap_or(rest.len())]).filter(|name| !name.is_empty())
    })
}

/// Whom a finding of the reader holds; none where nobody can tell whose document it was.
pub(super) fn held_by(file: &FileDocuments, finding: usize) -> Option<Vec<Subject>> {
    let broken = file.broken.iter().find(|broken| broken.finding == finding);
    let folder: Option<Name> = folder_of(&file.file).and_then(|folder| folder.parse().ok());
    let named = broken.and_then(owner_by_its_own_words);
    match (folder, named) {
        (None, named) => named.map(|subject| vec![subject]),
        // A server has its own life: its tenant's pods go on without it.
        (Some(_), Some(host @ Subject::Unit(crate::model::UnitName::Host(_)))) => Some(vec![host]),
        // Whoever it names may miss it as well: it may have been moved here by mistake.
        (Some(folder), named) => {
            Some(named.into_iter().chain([Subject::tenant(&folder)]).collect())
        }
    }
}

fn owner_by_its_own_words(broken: &Broken) -> Option<Subject> {
    match broken.identity.as_ref()? {
        ("Subscription" | "Task", _) => broken.tenant.as_ref().map(Subject::tenant),
        (kind, name) => Some(Subject::of_kind(kind, name)),
    }
}

/// The reader's findings, each with those it holds, and whether every owner is known.
pub(super) fn findings(configuration: &Configuration) -> (Vec<(Finding, Vec<Subject>)>, bool) {
    let mut all_known = true;
    let mut placed = Vec::new();
    for file in &configuration.files {
        for (index, finding) in file.findings.iter().enumerate() {
            let held = held_by(file, index);
            all_known &= held.is_some();
            placed.push((finding.clone(), held.unwrap_or_default()));
        }
    }
    (placed, all_known)
}
