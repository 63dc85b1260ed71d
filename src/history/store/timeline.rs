//! Reads history back: what happened, newest first.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::types::Json;
use uuid::Uuid;

use super::HistoryError;
use super::Store;
use super::parsed;
use super::value;
use crate::history::record::CommitSeen;
use crate::history::record::Drift;
use crate::history::record::Parked;
use crate::history::record::PhaseChange;
use crate::history::told::Event;
use crate::history::told::Gap;
use crate::history::told::ParkedSeen;
use crate::history::told::RunSummary;
use crate::history::told::StageSpan;
use crate::history::told::What;
use crate::model::Commit;
use crate::model::Name;
use crate::model::ResourceId;
use crate::model::UnitName;
use crate::postgres::stamp;

type Time = jiff_sqlx::Timestamp;

/// What to show of a timeline.
#[derive(Clone, Debug)]
pub struct Asked {
    /// One unit with its stages; otherwise everything but stages.
    pub unit: Option<UnitName>,
    /// Only what happened at or after this time.
    pub since: Option<Timestamp>,
    /// At most so many events, the newest.
    pub most: u32,
}

impl Store {
    /// What happened, newest first.
    pub async fn timeline(&self, asked: &Asked) -> Result<Vec<Event>, HistoryError> {
        let mut events = Vec::new();
        events.extend(self.runs(asked).await?.into_iter().map(Event::from));
        events.extend(self.drift(asked).await?.into_iter().map(Event::from));
        events.extend(self.phase_changes(asked).await?.into_iter().map(Event::from));
        for parked in self.parked(asked).await? {
            events.extend(Event::of_parked(parked));
        }
        if let Some(unit) = &asked.unit {
            events.extend(self.stage_spans(unit, asked).await?.into_iter().map(Event::from));
        } else {
            events.extend(self.commits(asked).await?.into_iter().map(Event::from));
            events.extend(self.gaps(asked).await?.into_iter().map(Event::from));
        }
        events.sort_by_key(|event| std::cmp::Reverse(event.at));
        events.truncate(asked.most as usize);
        Ok(events)
    }

    async fn runs(&self, asked: &Asked) -> Result<Vec<RunSummary>, HistoryError> {
        const RUNS: &str = "
            select id, unit, commit_id, cause, started_at, finished_at, result, message, outcomes
            from run, lateral (
                select coalesce(jsonb_object_agg(outcome, many), '{}') as outcomes
                from (select outcome, count(*) as many from action where run_id = run.id group by outcome) as counted
            ) as counts
            where ($1::text is null or unit = $1) and ($2::timestamptz is null or started_at >= $2)
            order by started_at desc
            limit $3";
        type Row = (
            Uuid,
            String,
            String,
            String,
            Time,
            Time,
            String,
            Option<String>,
            Json<BTreeMap<String, u64>>,
        );
        let rows: Vec<Row> = self.asked(RUNS, asked).await?;
        rows.into_iter()
            .map(|(id, unit, commit, cause, started, finished, result, message, outcomes)| {
                Ok(RunSummary {
                    id,
                    unit: parsed(&unit, "a unit")?,
                    commit: Commit::new(&commit),
                    cause: value(&cause, "the cause of a run")?,
                    started_at: started.to_jiff(),
                    finished_at: finished.to_jiff(),
                    result: value(&result, "the result of a run")?,
                    message,
                    outcomes: outcomes.0,
                })
            })
            .collect()
    }

    pub(super) async fn drift(&self, asked: &Asked) -> Result<Vec<Drift>, HistoryError> {
        const DRIFT: &str = "
            select id, unit, resource, what, by, found_at, put_back_at
            from drift
            where ($1::text is null or unit = $1) and ($2::timestamptz is null or found_at >= $2)
            order by found_at desc
            limit $3";
        type Row = (Uuid, String, String, String, Option<String>, Time, Option<Time>);
        let rows: Vec<Row> = self.asked(DRIFT, asked).await?;
        rows.into_iter()
            .map(|(id, unit, resource, what, by, found, put_back)| {
                Ok(Drift {
                    id,
                    unit: parsed(&unit, "a unit")?,
                    resource: resource_id(&resource)?,
                    what,
                    by,
                    found_at: found.to_jiff(),
                    put_back_at: put_back.map(Time::to_jiff),
                })
            })
            .collect()
    }

    async fn phase_changes(&self, asked: &Asked) -> Result<Vec<PhaseChange>, HistoryError> {
        const PHASES: &str = "
            select id, unit, subscription, phase, changed_at
            from phase_change
            where ($1::text is null or unit = $1) and ($2::timestamptz is null or changed_at >= $2)
            order by changed_at desc
            limit $3";
        let rows: Vec<(Uuid, String, String, String, Time)> = self.asked(PHASES, asked).await?;
        rows.into_iter().map(phase_change).collect()
    }

    async fn parked(&self, asked: &Asked) -> Result<Vec<ParkedSeen>, HistoryError> {
        const PARKED: &str = "
            select id, digest, units, ids, reason, since, ended_at, ending
            from parked
            where ($1::text is null or $1 = any(units))
                and ($2::timestamptz is null or coalesce(ended_at, since) >= $2)
            order by coalesce(ended_at, since) desc
            limit $3";
        let rows: Vec<ParkedRow> = self.asked(PARKED, asked).await?;
        rows.into_iter().map(parked_seen).collect()
    }

    pub(super) async fn commits(&self, asked: &Asked) -> Result<Vec<CommitSeen>, HistoryError> {
        const COMMITS: &str = "
            select id, author, email, subject, written_at, judged_at, refused_from
            from commit_seen
            where $1::text is null and ($2::timestamptz is null or judged_at >= $2)
            order by judged_at desc
            limit $3";
        let rows: Vec<CommitRow> = self.asked(COMMITS, asked).await?;
        Ok(rows.into_iter().map(commit_seen).collect())
    }

    pub(super) async fn gaps(&self, asked: &Asked) -> Result<Vec<Gap>, HistoryError> {
        const GAPS: &str = "
            select began_at, ended_at, dropped
            from gap
            where $1::text is null and ($2::timestamptz is null or ended_at >= $2)
            order by ended_at desc
            limit $3";
        type Row = (Time, Time, Json<BTreeMap<String, u64>>);
        let rows: Vec<Row> = self.asked(GAPS, asked).await?;
        let gap = |(began, ended, dropped): Row| Gap {
            began_at: began.to_jiff(),
            ended_at: ended.to_jiff(),
            dropped: dropped.0,
        };
        Ok(rows.into_iter().map(gap).collect())
    }

    /// The stages of a unit's subscriptions, each state with its start and end, newest first.
    pub async fn stage_spans(
        &self,
        unit: &UnitName,
        asked: &Asked,
    ) -> Result<Vec<StageSpan>, HistoryError> {
        const SPANS: &str = "
            select * from (
                select subscription, stage, state, reason, changed_at,
                    lead(changed_at) over (partition by subscription, stage order by changed_at, id) as ended_at
                from stage_change
                where unit = $1
            ) as spans
            where $2::timestamptz is null or changed_at >= $2
            order by changed_at desc
            limit $3";
        let asked = Asked { unit: Some(unit.clone()), ..asked.clone() };
        let rows: Vec<StageRow> = self.asked(SPANS, &asked).await?;
        rows.into_iter().map(|row| stage_span(unit, row)).collect()
    }

    /// A statement over `$1` unit, `$2` since, `$3` most.
    async fn asked<R>(&self, statement: &'static str, asked: &Asked) -> Result<Vec<R>, HistoryError>
    where
        R: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
    {
        sqlx::query_as(statement)
            .bind(asked.unit.as_ref().map(ToString::to_string))
            .bind(asked.since.map(stamp))
            .bind(i64::from(asked.most))
            .fetch_all(self.database().pool())
            .await
            .map_err(self.failed())
    }
}

pub(super) type ParkedRow =
    (Uuid, String, Vec<String>, Vec<String>, String, Time, Option<Time>, Option<String>);
type CommitRow = (String, String, String, String, Time, Time, Option<String>);
pub(super) type StageRow = (String, String, String, Option<String>, Time, Option<Time>);

pub(super) fn resource_id(text: &str) -> Result<ResourceId, HistoryError> {
    value(text, "a resource")
}

pub(super) fn parked_seen(
    (id, digest, units, ids, reason, since, ended, ending): ParkedRow,
) -> Result<ParkedSeen, HistoryError> {
    let parked = Parked {
        id,
        digest: parsed(&digest, "a digest")?,
        units: units.iter().map(|unit| parsed(unit, "a unit")).collect::<Result<_, _>>()?,
        ids: ids.iter().map(|id| resource_id(id)).collect::<Result<_, _>>()?,
        reason,
        since: since.to_jiff(),
    };
    let ended = match (ended, ending) {
        (Some(at), Some(how)) => Some((at.to_jiff(), value(&how, "an ending")?)),
        _ => None,
    };
    Ok(ParkedSeen { parked, ended })
}

fn commit_seen(
    (id, author, email, subject, written, judged, refused_from): CommitRow,
) -> CommitSeen {
    CommitSeen {
        id: Commit::new(&id),
        author,
        email,
        subject,
        written_at: written.to_jiff(),
        seen_at: judged.to_jiff(),
        refused_from: refused_from.as_deref().map(Commit::new),
    }
}

pub(super) fn phase_change(
    (id, unit, subscription, phase, at): (Uuid, String, String, String, Time),
) -> Result<PhaseChange, HistoryError> {
    Ok(PhaseChange {
        id,
        unit: parsed(&unit, "a unit")?,
        subscription: parsed(&subscription, "a subscription")?,
        phase: value(&phase, "a phase")?,
        at: at.to_jiff(),
    })
}

pub(super) fn stage_span(
    unit: &UnitName,
    (subscription, stage, state, reason, started, ended): StageRow,
) -> Result<StageSpan, HistoryError> {
    let subscription: Option<Name> = match subscription.as_str() {
        "" => None,
        name => Some(parsed(name, "a subscription")?),
    };
    Ok(StageSpan {
        unit: unit.clone(),
        subscription,
        stage: value(&stage, "a stage")?,
        state,
        reason,
        started_at: started.to_jiff(),
        ended_at: ended.map(Time::to_jiff),
    })
}

impl From<StageSpan> for Event {
    fn from(span: StageSpan) -> Self {
        Self { at: span.started_at, what: What::Stage(span) }
    }
}
