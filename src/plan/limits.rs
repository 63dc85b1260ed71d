//! The deletion limit: how much may go at once before a person has to say so.

use std::collections::BTreeSet;

use crate::model::Digest;
use crate::model::ResourceId;
use crate::model::UnitName;
use crate::model::digest::Hasher;
use crate::model::platform::DeletionLimit;

/// What one unit is about to lose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    pub unit: UnitName,
    /// The identity of the unit's inventory: an approval is good for this one life of the tenant.
    pub inventory: Box<str>,
    /// Whether no document speaks of the unit any more.
    pub whole_unit: bool,
    /// What would go, and whether its deletion was allowed before.
    pub ids: Vec<(ResourceId, bool)>,
}

/// Whether deletions may go ahead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    /// All of them wait until a commit names the digest.
    Parked {
        digest: Digest,
        reason: String,
    },
}

impl Verdict {
    pub fn deletions(&self) -> super::Deletions {
        match self {
            Self::Allowed => super::Deletions::Allowed,
            Self::Parked { .. } => super::Deletions::Parked,
        }
    }
}

/// Whether the loss of a thing counts. A job that has run is nobody's loss: each new migration
/// replaces the one before it, in every tenant at once.
pub fn counts(id: &ResourceId) -> bool {
    !(&*id.group == "batch" && &*id.kind == "Job")
}

/// Judges everything that is waiting for deletion together.
///
/// `unsure` says why absence proves nothing at the moment, such as a file that cannot be read:
/// then no unit goes as a whole, whatever the limit.
pub fn judge(
    departures: &[Departure],
    limit: &DeletionLimit,
    approved: &[Digest],
    unsure: Option<&str>,
) -> Verdict {
    let digest = digest(departures);
    // What was allowed once stays allowed: a run that was cut short goes on.
    let news = |departure: &Departure| -> Vec<ResourceId> {
        let counted = departure.ids.iter().filter(|(id, announced)| !announced && counts(id));
        counted.map(|(id, _)| id.clone()).collect()
    };
    let counted: Vec<ResourceId> = departures.iter().flat_map(news).collect();
    let tenants = departures
        .iter()
        .filter(|departure| departure.whole_unit && !news(departure).is_empty())
        .map(|departure| &departure.unit)
        .collect::<BTreeSet<_>>()
        .len();
    if let Some(why) = unsure
        && tenants > 0
    {
        return Verdict::Parked { digest, reason: format!("no tenant is removed while {why}") };
    }
    let over = [
        ("tenants", tenants, limit.tenants),
        ("namespaces", counted.iter().filter(|id| id.is_namespace()).count(), limit.namespaces),
        ("volumes and databases", counted.iter().filter(|id| id.holds_data()).count(), limit.data),
        ("objects", counted.len(), limit.objects),
    ]
    .into_iter()
    .find(|(_, count, most)| count > most);
    match over {
        Some((what, count, most)) if !approved.contains(&digest) => Verdict::Parked {
            digest,
            reason: format!("{count} {what} would be deleted at once, and the limit is {most}"),
        },
        _ => Verdict::Allowed,
    }
}

/// A digest of exactly what would go, whatever the order.
fn digest(departures: &[Departure]) -> Digest {
    let mut lines: Vec<String> = departures
        .iter()
        .flat_map(|departure| {
            departure.ids.iter().filter(|(id, _)| counts(id)).map(|(id, _)| {
                format!("{} {} {}/{id}", departure.unit, departure.inventory, id.group)
            })
        })
        .collect();
    lines.sort_unstable();
    let mut hasher = Hasher::default();
    for line in lines {
        hasher.add_field(line.as_bytes());
    }
    hasher.finish()
}
