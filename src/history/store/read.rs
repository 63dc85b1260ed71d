//! Reads history back: how everything stands, and all that is known of one unit.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use uuid::Uuid;

use super::HistoryError;
use super::Store;
use super::parsed;
use super::timeline::Asked;
use super::timeline::ParkedRow;
use super::timeline::StageRow;
use super::timeline::parked_seen;
use super::timeline::phase_change;
use super::timeline::resource_id;
use super::timeline::stage_span;
use super::value;
use super::word;
use crate::history::record::ActionRecord;
use crate::history::record::PhaseChange;
use crate::history::record::Reach;
use crate::history::record::Run;
use crate::history::record::TaskOutcome;
use crate::history::record::UnitStatus;
use crate::history::told::DaemonSeen;
use crate::history::told::FindingSeen;
use crate::history::told::Overview;
use crate::history::told::ParkedSeen;
use crate::history::told::StageSpan;
use crate::history::told::UnitHistory;
use crate::model::Commit;
use crate::model::Name;
use crate::model::ResourceId;
use crate::model::UnitName;

type Time = jiff_sqlx::Timestamp;

impl Store {
    /// Deletions that wait for an approval; of one unit, where one is named.
    pub async fn waiting_deletions(
        &self,
        unit: Option<&UnitName>,
    ) -> Result<Vec<ParkedSeen>, HistoryError> {
        const WAITING: &str = "
            select id, digest, units, ids, reason, since, ended_at, ending
            from parked
            where ended_at is null and ($1::text is null or $1 = any(units))
            order by since";
        let rows: Vec<ParkedRow> = sqlx::query_as(WAITING)
            .bind(unit.map(ToString::to_string))
            .fetch_all(self.database().pool())
            .await
            .map_err(self.failed())?;
        rows.into_iter().map(parked_seen).collect()
    }

    /// The last known state of each stage of a unit.
    async fn stages_now(&self, unit: &UnitName) -> Result<Vec<StageSpan>, HistoryError> {
        const NOW: &str = "
            select distinct on (subscription, stage)
                subscription, stage, state, reason, changed_at, null::timestamptz
            from stage_change
            where unit = $1
            order by subscription, stage, changed_at desc, id desc";
        let rows: Vec<StageRow> = self.of_unit(NOW, unit).await?;
        let mut spans: Vec<StageSpan> =
            rows.into_iter().map(|row| stage_span(unit, row)).collect::<Result<_, _>>()?;
        spans.sort_by(|one, other| {
            (&one.subscription, one.stage).cmp(&(&other.subscription, other.stage))
        });
        Ok(spans)
    }

    async fn phases_now(&self, unit: &UnitName) -> Result<Vec<PhaseChange>, HistoryError> {
        const NOW: &str = "
            select distinct on (subscription) id, unit, subscription, phase, changed_at
            from phase_change
            where unit = $1
            order by subscription, changed_at desc, id desc";
        let rows: Vec<(Uuid, String, String, String, Time)> = self.of_unit(NOW, unit).await?;
        rows.into_iter().map(phase_change).collect()
    }

    /// What became of tasks, by their names; those that never began are not among them.
    pub async fn tasks(
        &self,
        names: &[&Name],
    ) -> Result<BTreeMap<Name, TaskOutcome>, HistoryError> {
        const TASKS: &str = "
            select unit, task, state, message, coalesce(ended_at, began_at)
            from task_outcome where task = any($1)";
        type Row = (String, String, String, Option<String>, Time);
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        let rows: Vec<Row> = sqlx::query_as(TASKS)
            .bind(names)
            .fetch_all(self.database().pool())
            .await
            .map_err(self.failed())?;
        let outcome = |(unit, task, state, message, at): Row| {
            let task: Name = parsed(&task, "the name of a task")?;
            let unit = parsed(&unit, "a unit")?;
            let state = value(&state, "the state of a task")?;
            Ok((task.clone(), TaskOutcome { unit, task, state, message, at: at.to_jiff() }))
        };
        rows.into_iter().map(outcome).collect()
    }

    /// A run with all its actions.
    pub async fn run(&self, id: Uuid) -> Result<Option<Run>, HistoryError> {
        const RUN: &str = "
            select unit, commit_id, cause, started_at, finished_at, result, message from run where id = $1";
        const ACTIONS: &str = "
            select resource, verb, outcome, message, duration_us
            from action where run_id = $1 order by position";
        type Row = (String, String, String, Time, Time, String, Option<String>);
        let run: Option<Row> = sqlx::query_as(RUN)
            .bind(id)
            .fetch_optional(self.database().pool())
            .await
            .map_err(self.failed())?;
        let Some((unit, commit, cause, started, finished, result, message)) = run else {
            return Ok(None);
        };
        let actions: Vec<(String, String, String, Option<String>, i64)> = sqlx::query_as(ACTIONS)
            .bind(id)
            .fetch_all(self.database().pool())
            .await
            .map_err(self.failed())?;
        let action = |(resource, verb, outcome, message, duration): (String, _, String, _, i64)| {
            Ok(ActionRecord {
                id: resource_id(&resource)?,
                verb,
                outcome: value(&outcome, "the outcome of an action")?,
                message,
                duration: Duration::from_micros(duration.unsigned_abs()),
            })
        };
        Ok(Some(Run {
            id,
            unit: parsed(&unit, "a unit")?,
            commit: Commit::new(&commit),
            cause: value(&cause, "the cause of a run")?,
            started_at: started.to_jiff(),
            finished_at: finished.to_jiff(),
            result: value(&result, "the result of a run")?,
            message,
            actions: actions.into_iter().map(action).collect::<Result<_, HistoryError>>()?,
        }))
    }

    /// All that is known of one unit, to explain it.
    pub async fn unit(&self, unit: &UnitName) -> Result<UnitHistory, HistoryError> {
        let last: Vec<(Uuid,)> = self
            .of_unit("select id from run where unit = $1 order by started_at desc limit 1", unit)
            .await?;
        let last_run = match last.first() {
            Some((id,)) => self.run(*id).await?,
            None => None,
        };
        let recent = Asked { unit: Some(unit.clone()), since: None, most: 10 };
        Ok(UnitHistory {
            unit: unit.clone(),
            status: self.statuses(Some(std::slice::from_ref(unit)), None, 1).await?.pop(),
            last_run,
            phases: self.phases_now(unit).await?,
            stages: self.stages_now(unit).await?,
            drift: self.drift(&recent).await?,
            parked: self.waiting_deletions(Some(unit)).await?,
            unreachable: self.reach().await?.into_iter().filter(|reach| !reach.reachable).collect(),
        })
    }

    /// How everything stands; of units that are not converged, at most so many.
    pub async fn overview(&self, most: u32) -> Result<Overview, HistoryError> {
        const COUNTS: &str = "select state, count(*) from unit_status group by state";
        const DAEMONS: &str = "
            select id, version, started_at, seen_at, stopped_at from daemon order by seen_at desc limit 5";
        let counts: Vec<(String, i64)> = self.all(COUNTS).await?;
        let daemons: Vec<(Uuid, String, Time, Time, Option<Time>)> = self.all(DAEMONS).await?;
        let daemon =
            |(id, version, started, seen, stopped): (Uuid, String, Time, Time, Option<Time>)| {
                DaemonSeen {
                    id,
                    version,
                    started_at: started.to_jiff(),
                    seen_at: seen.to_jiff(),
                    stopped_at: stopped.map(Time::to_jiff),
                }
            };
        let newest = Asked { unit: None, since: None, most: 1 };
        let lately = Asked { most: 5, ..newest.clone() };
        Ok(Overview {
            daemons: daemons.into_iter().map(daemon).collect(),
            head: self.commits(&newest).await?.pop(),
            reach: self.reach().await?,
            counts: counts
                .into_iter()
                .map(|(state, many)| {
                    Ok((value(&state, "the state of a unit")?, many.unsigned_abs()))
                })
                .collect::<Result<_, HistoryError>>()?,
            troubled: self.statuses(None, Some(true), most).await?,
            parked: self.waiting_deletions(None).await?,
            findings: self.findings().await?,
            gaps: self.gaps(&lately).await?,
        })
    }

    /// The findings that stand: of the commit first, then of each cluster.
    async fn findings(&self) -> Result<Vec<FindingSeen>, HistoryError> {
        const FINDINGS: &str = "
            select origin, rule, severity, place, message, help, seen_at
            from finding order by origin <> 'commit', origin, position";
        type Row = (String, String, String, String, String, Option<String>, Time);
        let rows: Vec<Row> = self.all(FINDINGS).await?;
        let finding = |(origin, rule, severity, place, message, help, seen): Row| FindingSeen {
            origin,
            rule,
            severity,
            place,
            message,
            help,
            seen_at: seen.to_jiff(),
        };
        Ok(rows.into_iter().map(finding).collect())
    }

    /// How units stand, by name: all, some, or those that are not converged.
    pub async fn statuses(
        &self,
        units: Option<&[UnitName]>,
        troubled: Option<bool>,
        most: u32,
    ) -> Result<Vec<UnitStatus>, HistoryError> {
        const STATUSES: &str = "
            select unit, state, commit_id, since, reason, next_try, updated_at
            from unit_status
            where ($1::text[] is null or unit = any($1)) and ($2::bool is null or (state <> 'converged') = $2)
            order by unit
            limit $3";
        type Row = (String, String, Option<String>, Time, Option<String>, Option<Time>, Time);
        let rows: Vec<Row> = sqlx::query_as(STATUSES)
            .bind(units.map(|units| units.iter().map(ToString::to_string).collect::<Vec<_>>()))
            .bind(troubled)
            .bind(i64::from(most))
            .fetch_all(self.database().pool())
            .await
            .map_err(self.failed())?;
        rows.into_iter()
            .map(|(unit, state, commit, since, reason, next_try, updated)| {
                Ok(UnitStatus {
                    unit: parsed(&unit, "a unit")?,
                    state: value(&state, "the state of a unit")?,
                    commit: commit.as_deref().map(Commit::new),
                    since: since.to_jiff(),
                    reason,
                    next_try: next_try.map(Time::to_jiff),
                    updated_at: updated.to_jiff(),
                })
            })
            .collect()
    }

    /// The names of all units that are known, now or by a run of theirs.
    pub async fn unit_names(&self) -> Result<Vec<UnitName>, HistoryError> {
        const NAMES: &str = "select unit from unit_status union select unit from run order by 1";
        let rows: Vec<(String,)> = self.all(NAMES).await?;
        rows.iter().map(|(unit,)| parsed(unit, "a unit")).collect()
    }

    /// The commit that was taken last: the guard of history, where the source's cache was lost.
    pub async fn last_taken(&self) -> Result<Option<Commit>, HistoryError> {
        const LAST: &str = "
            select id from commit_seen where verdict = 'taken' order by judged_at desc limit 1";
        let rows: Vec<(String,)> = self.all(LAST).await?;
        Ok(rows.first().map(|(id,)| Commit::new(id)))
    }

    /// The commit of which all was handed on that it asks for: whatever still stands under an older
    /// one is not concerned by it.
    pub async fn wanted(&self) -> Result<Option<Commit>, HistoryError> {
        let rows: Vec<(String,)> = self.all("select commit_id from wanted_commit").await?;
        Ok(rows.first().map(|(id,)| Commit::new(id)))
    }

    /// The last run that did something to a resource, and what.
    pub async fn last_of_resource(
        &self,
        resource: &ResourceId,
    ) -> Result<Option<(Run, ActionRecord)>, HistoryError> {
        const LAST: &str = "
            select run.id from action join run on run.id = action.run_id
            where resource = $1 order by started_at desc limit 1";
        let last: Option<(Uuid,)> = sqlx::query_as(LAST)
            .bind(word(resource))
            .fetch_optional(self.database().pool())
            .await
            .map_err(self.failed())?;
        let Some((id,)) = last else { return Ok(None) };
        let run = self.run(id).await?;
        Ok(run.and_then(|run| {
            let action = run.actions.iter().find(|action| action.id == *resource)?.clone();
            Some((run, action))
        }))
    }

    async fn reach(&self) -> Result<Vec<Reach>, HistoryError> {
        const REACH: &str = "select name, state, since, why, updated_at from reach order by name";
        let rows: Vec<(String, String, Time, Option<String>, Time)> = self.all(REACH).await?;
        let reach = |(name, state, since, why, updated): (String, String, Time, _, Time)| Reach {
            name,
            reachable: state == "reachable",
            since: since.to_jiff(),
            why,
            updated_at: updated.to_jiff(),
        };
        Ok(rows.into_iter().map(reach).collect())
    }

    /// The clusters that cannot be reached now.
    pub async fn clusters_away(&self) -> Result<BTreeSet<Name>, HistoryError> {
        let away = self.reach().await?.into_iter().filter(|reach| !reach.reachable);
        let name = |reach: Reach| reach.name.strip_prefix("cluster ")?.parse().ok();
        Ok(away.filter_map(name).collect())
    }

    async fn all<R>(&self, statement: &'static str) -> Result<Vec<R>, HistoryError>
    where
        R: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
    {
        sqlx::query_as(statement).fetch_all(self.database().pool()).await.map_err(self.failed())
    }

    async fn of_unit<R>(
        &self,
        statement: &'static str,
        unit: &UnitName,
    ) -> Result<Vec<R>, HistoryError>
    where
        R: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
    {
        sqlx::query_as(statement)
            .bind(unit.to_string())
            .fetch_all(self.database().pool())
            .await
            .map_err(self.failed())
    }
}
