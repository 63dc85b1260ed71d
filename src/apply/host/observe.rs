//! Looks at a host: one script about everything, and a second one only where the inventory lists
//! what nobody asks for any more.

use std::time::Duration;

use crate::model::Digest;
use crate::model::Name;
use crate::plan::host::Facts;
use crate::plan::host::HostPlan;
use crate::plan::host::Inventory;
use crate::plan::host::Known;
use crate::plan::host::Leaving;
use crate::plan::host::Machine;
use crate::plan::host::Ordered;
use crate::plan::host::Script;
use crate::plan::host::plan;
use crate::plan::host::questions;

use super::error::HostError;
use super::transport::Limits;
use super::transport::Transport;

/// An answer has the texts of files that differ, and an inventory.
const LOOKING: Limits = Limits { doing: "looking", bytes: 16 << 20, time: Duration::from_mins(2) };

/// What is known of a host.
#[derive(Clone, Debug)]
pub struct Observation {
    host: Name,
    pub facts: Facts,
    pub inventory: Inventory,
    leaving: Facts,
}

/// Looks at everything that is asked for, and at what the inventory lists besides.
pub async fn observe<T: Transport>(
    transport: &T,
    ordered: &Ordered,
) -> Result<Observation, HostError> {
    let host = transport.host().clone();
    let facts = ask(transport, &questions(ordered), ordered.resources.len()).await?;
    check(&host, &facts.machine)?;
    let inventory = Inventory::read(&facts.inventory, &host, &facts.machine.machine_id)
        .map_err(|why| HostError::Inventory { host: host.clone(), why })?;
    let leaving = Leaving::of(&inventory, ordered);
    let leaving = if leaving.is_empty() {
        Facts::default()
    } else {
        let answer = ask(transport, &leaving.questions(), leaving.len()).await?;
        if answer.inventory != facts.inventory {
            return Err(HostError::Moved { host });
        }
        answer
    };
    Ok(Observation { host, facts, inventory, leaving })
}

impl Observation {
    /// Compares what is known with what is asked for.
    pub fn plan(&self, ordered: &Ordered, approved: &[Digest]) -> HostPlan {
        let known = Known {
            host: &self.host,
            facts: &self.facts,
            inventory: &self.inventory,
            leaving: &self.leaving,
            approved,
        };
        plan(ordered, &known)
    }
}

async fn ask<T: Transport>(
    transport: &T,
    script: &Script,
    about: usize,
) -> Result<Facts, HostError> {
    let mut answer = Vec::new();
    transport.run(script, LOOKING, &mut |bytes| answer.extend_from_slice(bytes)).await?;
    Facts::read(&answer, about).map_err(|why| HostError::puzzling(transport.host(), &why))
}

/// Whether it is a machine that we know how to change.
fn check(host: &Name, machine: &Machine) -> Result<(), HostError> {
    let unsupported = |found: String| Err(HostError::Unsupported { host: host.clone(), found });
    let known = ["debian", "ubuntu"].contains(&machine.distribution.as_str());
    if !known {
        let shown: String = machine.pretty.chars().take(80).collect();
        return unsupported(if shown.is_empty() { "something unknown".into() } else { shown });
    }
    if !machine.systemd {
        return unsupported(format!("{} without systemd", machine.pretty));
    }
    if machine.user != 0 || machine.machine_id.is_empty() {
        let reason = "it runs our scripts as somebody else than root".to_owned();
        return Err(HostError::Puzzling { host: host.clone(), reason });
    }
    Ok(())
}
