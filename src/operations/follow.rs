//! The follower: moves operations on by what history says of their commits, and ends them. It reads
//! nothing but PostgreSQL and the commits that were fetched; it asks no cluster.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::Timestamp;
use sqlx::PgPool;

use super::Change;
use super::OperationError;
use super::operation;
use super::operation::Operation;
use super::operation::State;
use super::settle;
use super::settle::Came;
use super::settle::Ending;
use crate::billing::terms::TermError;
use crate::history::Store;
use crate::history::record::TaskOutcome;
use crate::history::record::TaskState;
use crate::history::record::UnitState;
use crate::history::record::UnitStatus;
use crate::model::Commit;
use crate::model::Configuration;
use crate::model::Name;
use crate::model::UnitName;
use crate::model::task::RUNS_FOR;
use crate::source::Objects;
use crate::validate::addresses::hosts;

/// How many operations are looked at in one go.
const AT_ONCE: i64 = 500;

/// How long after a task could begin or end for the last time it is waited for word of it.
const SLACK: SignedDuration = SignedDuration::from_mins(5);

/// A commit that was taken, and what it says.
#[derive(Clone, Debug)]
pub struct Taken {
    pub commit: Commit,
    pub configuration: Arc<Configuration>,
}

/// How long somebody waits for what does not come.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Something needs help, or is held.
    pub stuck: SignedDuration,
    /// From the commit to the end, whatever the reason.
    pub whole: SignedDuration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { stuck: SignedDuration::from_mins(30), whole: SignedDuration::from_hours(2) }
    }
}

/// What history said once for all operations.
#[derive(Clone, Copy)]
struct Known<'a> {
    wanted: Option<&'a Commit>,
    statuses: &'a BTreeMap<Name, UnitStatus>,
    /// Of tasks that have begun.
    outcomes: &'a BTreeMap<Name, TaskOutcome>,
}

/// The task that an operation asks for.
fn task_of(operation: &Operation) -> Option<&Name> {
    match &operation.intent.change {
        Change::Task { name, .. } => Some(name),
        _ => None,
    }
}

/// What is known about a committed operation when it is decided how it goes on.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Seen<'a> {
    /// All that the commit asks for was handed on.
    wanted: bool,
    /// What it changed is as it changed it.
    stands: bool,
    /// The tenant is in the configuration.
    tenant: bool,
    /// How the tenant stands, where it stands at this commit or one after it.
    status: Option<&'a UnitStatus>,
    waits_for_convergence: bool,
    /// Of a thing to do once: until when it can begin, and what history says of it.
    task: Option<(Timestamp, Option<&'a TaskOutcome>)>,
    now: Timestamp,
}

/// How an operation goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// It comes into a state, or stays in it with other words; it is stuck, or is not.
    Enter {
        state: State,
        message: Option<String>,
        stuck: bool,
    },
    Succeed,
    /// A thing to do once is done, and has left this behind.
    Done(Option<String>),
    Fail(String),
    Supersede,
}

fn step(seen: Seen<'_>) -> Step {
    let enter = |state, message: Option<&str>, stuck| Step::Enter {
        state,
        message: message.map(str::to_owned),
        stuck,
    };
    if let Some((begins_before, outcome)) = seen.task
        && let Some(step) = step_of_task(seen, begins_before, outcome)
    {
        return step;
    }
    if !seen.wanted {
        return enter(State::Committed, None, false);
    }
    if !seen.stands {
        return Step::Supersede;
    }
    if !seen.waits_for_convergence {
        return Step::Succeed;
    }
    if seen.task.is_some() {
        let held = seen.status.filter(|status| status.state != UnitState::Converged);
        let reason = held.and_then(|status| status.reason.as_deref());
        return enter(State::Observed, reason.or(Some("it waits to be carried out")), false);
    }
    // What stands under an older commit is not concerned by this one.
    let Some(status) = seen.status else { return Step::Succeed };
    let reason = status.reason.as_deref();
    match status.state {
        UnitState::Converged => Step::Succeed,
        // Of a tenant that is gone, its policy keeps something.
        UnitState::Retired if !seen.tenant => Step::Succeed,
        UnitState::Applying | UnitState::Retired => enter(State::Applying, reason, false),
        UnitState::Waiting => enter(State::Verifying, reason, false),
        UnitState::Degraded => enter(State::Verifying, reason, true),
        UnitState::Held | UnitState::Parked => enter(State::Applying, reason, true),
    }
}

/// How a thing to do once goes on, where history or the clock knows. What was done was done,
/// whatever became of its document since; what was not begun in time never is.
fn step_of_task(
    seen: Seen<'_>,
    begins_before: Timestamp,
    outcome: Option<&TaskOutcome>,
) -> Option<Step> {
    let over = |patience: SignedDuration| seen.now > begins_before + patience;
    let Some(TaskOutcome { state, message, .. }) = outcome else {
        return over(SLACK).then(|| {
            let reason = seen.status.and_then(|status| status.reason.as_deref());
            let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            Step::Fail(format!("it could not begin within two hours, and does not any more{why}"))
        });
    };
    Some(match state {
        TaskState::Done => Step::Done(message.clone()),
        TaskState::Failed => {
            Step::Fail(message.clone().unwrap_or_else(|| "nobody knows why".to_owned()))
        }
        TaskState::Running if over(RUNS_FOR + SLACK) => {
            Step::Fail("it has begun, and nobody saw how it ended".to_owned())
        }
        TaskState::Running => {
            let message = Some("it is being carried out".to_owned());
            Step::Enter { state: State::Applying, message, stuck: false }
        }
    })
}

/// Follows operations.
#[derive(Clone, Debug)]
pub struct Follower {
    pub history: Store,
    pub objects: Objects,
    pub patience: Patience,
}

impl Follower {
    /// Moves every operation on that has something to be moved on by. Says how many ended.
    pub async fn work(
        &self,
        pool: &PgPool,
        taken: &Taken,
        now: Timestamp,
    ) -> Result<usize, OperationError> {
        let operations = operation::under_way(&mut *pool.acquire().await?, AT_ONCE).await?;
        if operations.is_empty() {
            return Ok(0);
        }
        // Asked for first: what is wanted by then was told before it is read.
        let wanted = self.history.wanted().await?;
        let tenants: BTreeSet<&Name> =
            operations.iter().map(|operation| &operation.intent.tenant).collect();
        let statuses = self.statuses(tenants).await?;
        let tasks: Vec<&Name> = operations.iter().filter_map(task_of).collect();
        let outcomes = match tasks.as_slice() {
            [] => BTreeMap::new(),
            tasks => self.history.tasks(tasks).await?,
        };
        let mut ended = 0;
        for operation in &operations {
            let known = Known { wanted: wanted.as_ref(), statuses: &statuses, outcomes: &outcomes };
            match self.one(pool, operation, known, taken, now).await {
                Ok(true) => ended += 1,
                Ok(false) => {}
                // One that cannot be moved on keeps nobody else.
                Err(error) if error.is_passing() => return Err(error),
                Err(error) => {
                    tracing::error!("the operation {} cannot be moved on: {error}", operation.id);
                }
            }
        }
        Ok(ended)
    }

    async fn statuses(
        &self,
        tenants: BTreeSet<&Name>,
    ) -> Result<BTreeMap<Name, UnitStatus>, OperationError> {
        let units: Vec<UnitName> =
            tenants.into_iter().map(|tenant| UnitName::Tenant(tenant.clone())).collect();
        let most = u32::try_from(units.len()).unwrap_or(u32::MAX);
        let statuses = self.history.statuses(Some(&units), None, most).await?;
        Ok(statuses.into_iter().map(|status| (status.unit.name().clone(), status)).collect())
    }

    /// Whether a commit leads to another. What was not fetched here does not, yet.
    async fn leads_to(&self, commit: &Commit, later: &Commit) -> bool {
        commit == later || self.objects.descends(later, commit).await.unwrap_or(false)
    }

    async fn one(
        &self,
        pool: &PgPool,
        operation: &Operation,
        known: Known<'_>,
        taken: &Taken,
        now: Timestamp,
    ) -> Result<bool, OperationError> {
        let Known { wanted, statuses, outcomes } = known;
        let Some(commit) = &operation.commit else { return Ok(false) };
        let (tenant, change) = (&operation.intent.tenant, &operation.intent.change);
        let is_wanted = match wanted {
            Some(wanted) => {
                self.leads_to(commit, wanted).await && self.leads_to(commit, &taken.commit).await
            }
            None => false,
        };
        let status = statuses.get(tenant);
        let about_it = match status.and_then(|status| status.commit.as_ref()) {
            Some(at) => self.leads_to(commit, at).await,
            // It is held since it is known, or gone: that is about every commit.
            None => true,
        };
        let seen = Seen {
            wanted: is_wanted,
            stands: change.stands(&taken.configuration, tenant),
            tenant: taken.configuration.tenants.contains_key(tenant),
            status: status.filter(|_| about_it),
            waits_for_convergence: change.waits_for_convergence(),
            task: match change {
                Change::Task { name, task } => Some((task.begins_before(), outcomes.get(name))),
                _ => None,
            },
            now,
        };
        let step = step(seen);
        if self.is_no_news(operation, &step, now) {
            return Ok(false);
        }
        let mut transaction = pool.begin().await?;
        let operation = operation::locked(&mut transaction, operation.id).await?;
        if operation.state.is_end() {
            return Ok(false);
        }
        match self.take(&mut transaction, &operation, step, taken, now).await {
            Ok(ended) => {
                transaction.commit().await?;
                Ok(ended)
            }
            // What it would sell was sold meanwhile by another way: nobody pays for it twice.
            Err(OperationError::Term(refused @ TermError::Overlap { .. })) => {
                drop(transaction);
                let mut transaction = pool.begin().await?;
                let operation = operation::locked(&mut transaction, operation.id).await?;
                let ending = Ending::Failed("these days are paid for already");
                tracing::warn!("the operation {} is given up: {refused}", operation.id);
                if !operation.state.is_end() {
                    settle::give_up(&mut transaction, &operation, ending, now).await?;
                }
                transaction.commit().await?;
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    fn is_no_news(&self, operation: &Operation, step: &Step, now: Timestamp) -> bool {
        let Step::Enter { state, message, stuck } = step else { return false };
        operation.state == *state
            && operation.message == *message
            && operation.stuck_since.is_some() == *stuck
            && self.given_up(operation, now).is_none()
    }

    /// Why nobody waits for it any longer.
    fn given_up(&self, operation: &Operation, now: Timestamp) -> Option<String> {
        if task_of(operation).is_some() {
            // It has its own time to begin and to run: see `step_of_task`.
            return None;
        }
        let over = |since: Option<Timestamp>, patience: SignedDuration| {
            since.is_some_and(|since| now.duration_since(since) >= patience)
        };
        let reason = operation.message.as_deref().unwrap_or("nobody knows why");
        if over(operation.stuck_since, self.patience.stuck) {
            return Some(format!("it does not become ready: {reason}"));
        }
        if over(operation.committed_at, self.patience.whole) {
            return Some(format!("it took too long: {reason}"));
        }
        None
    }

    async fn take(
        &self,
        db: &mut sqlx::PgConnection,
        operation: &Operation,
        step: Step,
        taken: &Taken,
        now: Timestamp,
    ) -> Result<bool, OperationError> {
        // What was not seen on the way was passed all the same.
        let passes = match &step {
            Step::Enter { state, .. } => operation.state < *state,
            Step::Succeed | Step::Done(_) | Step::Fail(_) | Step::Supersede => true,
        };
        if passes && operation.state == State::Committed {
            operation::enter(db, operation, State::Observed, None, now).await?;
        }
        match step {
            Step::Enter { .. } if self.given_up(operation, now).is_some() => {
                let why = self.given_up(operation, now).unwrap_or_default();
                settle::give_up(db, operation, Ending::Failed(&why), now).await?;
                Ok(true)
            }
            Step::Enter { state, message, stuck } => {
                let since = stuck.then(|| operation.stuck_since.unwrap_or(now));
                operation::stuck(db, operation.id, since).await?;
                // A state that was passed is not gone back to: its words are told in this one.
                let state = state.max(operation.state);
                operation::enter(db, operation, state, message.as_deref(), now).await?;
                Ok(false)
            }
            Step::Succeed => {
                let addresses = &addresses(operation, &taken.configuration);
                settle::succeed(db, operation, Came { addresses, left: None }, now).await?;
                Ok(true)
            }
            Step::Done(left) => {
                let came = Came { addresses: &[], left: left.as_deref() };
                settle::succeed(db, operation, came, now).await?;
                Ok(true)
            }
            Step::Fail(why) => {
                settle::give_up(db, operation, Ending::Failed(&why), now).await?;
                Ok(true)
            }
            Step::Supersede => {
                let why = "a later commit has changed it again";
                settle::give_up(db, operation, Ending::Superseded(why), now).await?;
                Ok(true)
            }
        }
    }
}

/// Where what an operation is about can be reached.
fn addresses(operation: &Operation, configuration: &Configuration) -> Vec<String> {
    let intent = &operation.intent;
    let found = intent.change.subscription().and_then(|name| {
        let document = configuration.subscriptions.get(&intent.tenant)?.get(name)?;
        Some(hosts(configuration, &document.spec))
    });
    found.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: UnitState) -> UnitStatus {
        UnitStatus {
            unit: "acme".parse().unwrap(),
            state,
            commit: None,
            since: Timestamp::UNIX_EPOCH,
            reason: Some("the disk is full".into()),
            next_try: None,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn seen(status: Option<&UnitStatus>) -> Seen<'_> {
        Seen {
            wanted: true,
            stands: true,
            tenant: true,
            status,
            waits_for_convergence: true,
            task: None,
            now: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn an_operation_goes_where_its_tenant_stands() {
        for (state, expected, stuck) in [
            (UnitState::Applying, State::Applying, false),
            (UnitState::Waiting, State::Verifying, false),
            (UnitState::Degraded, State::Verifying, true),
            (UnitState::Held, State::Applying, true),
            (UnitState::Parked, State::Applying, true),
        ] {
            let status = status(state);
            let message = Some("the disk is full".to_owned());
            assert_eq!(step(seen(Some(&status))), Step::Enter { state: expected, message, stuck });
        }
        assert_eq!(step(seen(Some(&status(UnitState::Converged)))), Step::Succeed);
    }

    #[test]
    fn a_commit_that_is_not_read_yet_says_nothing() {
        let converged = status(UnitState::Converged);
        let before = Seen { wanted: false, ..seen(Some(&converged)) };
        let committed = Step::Enter { state: State::Committed, message: None, stuck: false };
        assert_eq!(step(before), committed);
    }

    #[test]
    fn whom_a_commit_does_not_concern_is_done_with_it() {
        assert_eq!(step(seen(None)), Step::Succeed);
    }

    #[test]
    fn what_was_changed_again_is_superseded_however_it_stands() {
        let converged = status(UnitState::Converged);
        assert_eq!(step(Seen { stands: false, ..seen(Some(&converged)) }), Step::Supersede);
    }

    #[test]
    fn days_are_sold_whatever_the_pods_do() {
        let degraded = status(UnitState::Degraded);
        let paid = Seen { waits_for_convergence: false, ..seen(Some(&degraded)) };
        assert_eq!(step(paid), Step::Succeed);
    }

    #[test]
    fn what_is_kept_of_a_tenant_that_is_gone_does_not_hold_its_removal_up() {
        let retired = status(UnitState::Retired);
        assert_eq!(step(Seen { tenant: false, ..seen(Some(&retired)) }), Step::Succeed);
    }
}
