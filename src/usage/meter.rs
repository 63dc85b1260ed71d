//! The port behind which clusters are measured. Whoever reaches clusters implements it.

use std::fmt;

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::Measure;
use super::Sample;
use crate::model::SubscriptionId;

/// Measures what every subscription uses at this moment, wherever it runs.
pub trait Meter: fmt::Debug + Send + Sync {
    fn measure(&self) -> BoxFuture<'_, Measured>;
}

/// What was measured, and what could not be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    pub readings: Vec<Reading>,
    /// In sentences that stay the same while what they say does.
    pub troubles: Vec<String>,
}

/// What one subscription uses. What is absent is not known, which is not nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub of: SubscriptionId,
    /// Thousandths of a core.
    pub cpu: Option<i64>,
    /// MiB.
    pub memory: Option<i64>,
    /// MiB.
    pub storage: Option<i64>,
}

impl Reading {
    /// As samples of the slot that it was taken in.
    pub fn samples(&self, now: Timestamp) -> impl Iterator<Item = Sample> {
        let values = [
            (Measure::Cpu, self.cpu),
            (Measure::Memory, self.memory),
            (Measure::Storage, self.storage),
        ];
        values.into_iter().filter_map(move |(measure, value)| {
            Some(Sample::now(self.of.clone(), measure, value?, now))
        })
    }
}
