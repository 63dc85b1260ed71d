//! A host, from a commit to what it is: what the commit asks of it, and one pass that brings it
//! there: look, plan, carry out, and look again over a connection of its own.

mod keep;
mod tell;

use std::time::Duration;

use tokio::time::Instant;

use crate::apply::host::Access;
use crate::apply::host::Carried;
use crate::apply::host::HostError;
use crate::apply::host::Observation;
use crate::apply::host::Ssh;
use crate::apply::host::carry_out;
use crate::apply::host::confirm;
use crate::apply::host::observe;
use crate::model::Commit;
use crate::model::Digest;
use crate::model::Finding;
use crate::model::Name;
use crate::model::Severity;
use crate::plan::host::HostPlan;
use crate::plan::host::Ordered;
use crate::plan::host::UNDOES_AFTER;
use crate::plan::host::events::Event;
use crate::render::render_host;

use super::desired::Desired;

pub use keep::Keeping;
pub(super) use keep::keep;

/// How long what was just started may take until its checks are well.
const SETTLING: Duration = Duration::from_secs(30);
/// How often they are looked at meanwhile.
const PAUSE: Duration = Duration::from_secs(1);

/// What a commit asks of a host, or why nobody can say: its document or its catalog is broken.
pub fn wanted(desired: &Desired, host: &Name) -> Result<Ordered, Vec<Finding>> {
    let Some(document) = desired.configuration.hosts.get(host) else { return Err(Vec::new()) };
    let of_it = |finding: &&Finding| {
        finding.severity == Severity::Error && finding.place.file == document.origin.file
    };
    let broken: Vec<Finding> = desired.findings.iter().filter(of_it).cloned().collect();
    if !broken.is_empty() {
        return Err(broken);
    }
    let platform = desired.platform.as_deref();
    let catalog = render_host(document, platform, &desired.templates)
        .map_err(|error| vec![error.finding()])?;
    Ordered::of(catalog)
}

/// The removals over the limit that commits approved, by their digests.
pub fn approvals(desired: &Desired) -> Vec<Digest> {
    let platform = desired.platform.as_ref();
    platform.map(|platform| platform.spec.deletions.approved.clone()).unwrap_or_default()
}

/// Looks at a host.
pub async fn look(access: Access, ordered: &Ordered) -> Result<Observation, HostError> {
    let ssh = Ssh::connect(access).await?;
    let observation = observe(&ssh, ordered).await?;
    ssh.close().await;
    Ok(observation)
}

/// What became of a pass.
#[derive(Clone, Debug)]
pub struct Converged {
    /// What was planned.
    pub plan: HostPlan,
    /// What became of it; none where nothing was to do.
    pub carried: Option<Carried>,
    /// What would have to be done now: nothing, where all went well.
    pub left: HostPlan,
}

impl Converged {
    /// Whether something is to be done that may not be done now.
    pub fn waits(&self) -> bool {
        self.carried.is_none() && !self.plan.is_settled()
    }

    pub fn went_well(&self) -> bool {
        self.carried.as_ref().is_none_or(Carried::went_well) && self.left.is_well()
    }
}

/// For whom a pass is made.
pub struct Order<'a> {
    /// Who asks for it, as whoever finds the host busy is told.
    pub who: &'a str,
    pub commit: &'a Commit,
    /// Removals over the limit that somebody approved.
    pub approved: &'a [Digest],
    /// Whether a host that we changed before may be changed now. Nobody's work is disturbed by the
    /// first changes of a new one.
    pub may_change: bool,
}

/// Brings a host to what is asked for. It may be cut short anywhere: another pass goes on from
/// what it finds.
pub async fn converge(
    access: Access,
    ordered: &Ordered,
    order: &Order<'_>,
    hear: &mut (dyn FnMut(&HostPlan, &Event) + Send),
) -> Result<Converged, HostError> {
    let ssh = Ssh::connect(access.clone()).await?;
    let observation = observe(&ssh, ordered).await?;
    let plan = observation.plan(ordered, order.approved);
    let is_new = observation.inventory.generation == 0;
    if plan.is_settled() || !(order.may_change || is_new) {
        ssh.close().await;
        return Ok(Converged { left: plan.clone(), plan, carried: None });
    }
    let mut tell = |event: &Event| hear(&plan, event);
    let carried = carry_out(&ssh, &plan, order.who, order.commit, &mut tell).await?;
    ssh.close().await;
    let ssh = if plan.is_undone_unconfirmed() {
        back_in(&access).await?
    } else {
        Ssh::connect(access).await?
    };
    let left = settled(ssh, ordered, order).await?;
    Ok(Converged { plan, carried: Some(carried), left })
}

/// Gets in once more after something that could have locked us out. Whoever gets in at once
/// confirms it; whoever does not waits until the host has undone it, and finds it as it was.
async fn back_in(access: &Access) -> Result<Ssh, HostError> {
    let begun = Instant::now();
    let after = Duration::from_secs(UNDOES_AFTER.into());
    loop {
        match Ssh::connect(access.clone()).await {
            Ok(ssh) => {
                confirm(&ssh).await?;
                return Ok(ssh);
            }
            Err(error) if begun.elapsed() > after * 2 => {
                let host = access.host.clone();
                return Err(HostError::LockedOut { host, after, reason: error.to_string() });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Looks until what was just started is well: checks get the time that a service takes.
async fn settled(ssh: Ssh, ordered: &Ordered, order: &Order<'_>) -> Result<HostPlan, HostError> {
    let deadline = Instant::now() + SETTLING;
    loop {
        let left = observe(&ssh, ordered).await?.plan(ordered, order.approved);
        if left.failing.is_empty() || !left.steps.is_empty() || Instant::now() >= deadline {
            ssh.close().await;
            return Ok(left);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
