//! What is measured, and one measurement.

use jiff::Timestamp;
use serde::Serialize;

use super::SLOT;
use super::UsageError;
use crate::model::SubscriptionId;

/// The most that a sample says, so that no sum leaves its bounds: an EiB.
const MOST: i64 = 1 << 40;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// In thousandths of a core.
    Cpu,
    /// In MiB.
    Memory,
    /// The size of volume claims, in MiB.
    Storage,
}

impl Measure {
    pub const ALL: [Self; 3] = [Self::Cpu, Self::Memory, Self::Storage];

    /// As it stands in the database and in answers.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Storage => "storage",
        }
    }

    /// What its values are counted in.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Cpu => "thousandths of a core",
            Self::Memory | Self::Storage => "MiB",
        }
    }

    pub(super) fn of(word: &str) -> Result<Self, UsageError> {
        let known = Self::ALL.into_iter().find(|measure| measure.word() == word);
        known.ok_or_else(|| UsageError::Unreadable(word.to_owned()))
    }
}

/// How much one subscription used in one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    pub of: SubscriptionId,
    pub measure: Measure,
    /// When the slot begins.
    pub at: Timestamp,
    /// How long it stands for, in seconds.
    pub seconds: i64,
    pub value: i64,
}

impl Sample {
    /// What was measured now, as the sample of the slot that this is in.
    pub fn now(of: SubscriptionId, measure: Measure, value: i64, now: Timestamp) -> Self {
        let value = value.clamp(0, MOST);
        Self { of, measure, at: slot_of(now), seconds: SLOT.as_secs(), value }
    }
}

/// When the slot begins that a time is in.
fn slot_of(time: Timestamp) -> Timestamp {
    let into = time.as_second().rem_euclid(SLOT.as_secs());
    Timestamp::from_second(time.as_second() - into).unwrap_or(time)
}
