//! Writes records, all of a batch or none. Writing the same batch again changes nothing: facts
//! have their ids, and what stands is replaced only by what is newer.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::Store;
use super::word;
use crate::history::record::ActionRecord;
use crate::history::record::CommitSeen;
use crate::history::record::Drift;
use crate::history::record::Parked;
use crate::history::record::PhaseChange;
use crate::history::record::Reach;
use crate::history::record::Record;
use crate::history::record::Run;
use crate::history::record::StageChange;
use crate::history::record::TaskOutcome;
use crate::history::record::TaskState;
use crate::history::record::UnitStatus;
use crate::model::Finding;
use crate::model::UnitName;
use crate::plan::StageState;
use crate::postgres::rounded;
use crate::postgres::stamp;

/// A message may quote a server at any length; a person needs its beginning.
const LONGEST_TEXT: usize = 2_000;
/// Whoever has more findings looks at them with `tenantry validate`.
const MOST_FINDINGS: usize = 500;

/// The daemon that writes, as `tenantry status` shows it.
#[derive(Clone, Debug)]
pub(in crate::history) struct Writer {
    pub(in crate::history) id: Uuid,
    pub(in crate::history) version: &'static str,
    pub(in crate::history) started_at: Timestamp,
}

/// What was dropped while there was nowhere to write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::history) struct Lost {
    pub(in crate::history) id: Uuid,
    pub(in crate::history) began_at: Timestamp,
    pub(in crate::history) ended_at: Timestamp,
    pub(in crate::history) dropped: BTreeMap<&'static str, u64>,
}

impl Store {
    /// Writes a batch, all or nothing.
    pub async fn write(&self, records: &[Record]) -> Result<(), sqlx::Error> {
        let batch = Batch::of(records);
        let mut transaction = self.database().pool().begin().await?;
        batch.write(&mut transaction).await?;
        transaction.commit().await
    }

    pub(in crate::history) async fn write_lost(&self, lost: &Lost) -> Result<(), sqlx::Error> {
        let statement = "
            insert into gap (id, began_at, ended_at, dropped) values ($1, $2, $3, $4)
            on conflict (id) do nothing";
        sqlx::query(statement)
            .bind(lost.id)
            .bind(stamp(lost.began_at))
            .bind(stamp(lost.ended_at))
            .bind(Json(&lost.dropped))
            .execute(self.database().pool())
            .await?;
        Ok(())
    }

    /// Says that the daemon is alive, or that it stops.
    pub(in crate::history) async fn write_alive(
        &self,
        writer: &Writer,
        now: Timestamp,
        stops: bool,
    ) -> Result<(), sqlx::Error> {
        let statement = "
            insert into daemon (id, version, started_at, seen_at, stopped_at)
            values ($1, $2, $3, $4, case when $5 then $4 end)
            on conflict (id) do update set seen_at = excluded.seen_at, stopped_at = excluded.stopped_at";
        sqlx::query(statement)
            .bind(writer.id)
            .bind(writer.version)
            .bind(stamp(writer.started_at))
            .bind(stamp(now))
            .bind(stops)
            .execute(self.database().pool())
            .await?;
        Ok(())
    }
}

/// The rows of a batch, by table, each key once.
#[derive(Default)]
struct Batch<'a> {
    commits: BTreeMap<&'a str, Value>,
    runs: Vec<Value>,
    actions: Vec<Value>,
    stages: Vec<Value>,
    phases: Vec<Value>,
    /// In order: one may begin and end in the same batch.
    tasks: Vec<&'a TaskOutcome>,
    drift: BTreeMap<Uuid, Drift>,
    /// In order, because the same deletions may be parked, approved and parked again.
    parked: Vec<&'a Record>,
    statuses: BTreeMap<String, (Timestamp, Option<Value>)>,
    roster: Option<(BTreeSet<String>, Timestamp)>,
    wanted: Option<(&'a str, Timestamp)>,
    reach: BTreeMap<&'a str, Value>,
    findings: BTreeMap<&'a str, Vec<Value>>,
}

impl<'a> Batch<'a> {
    fn of(records: &'a [Record]) -> Self {
        let mut batch = Self::default();
        for record in records {
            batch.add(record);
        }
        batch
    }

    fn add(&mut self, record: &'a Record) {
        match record {
            Record::Commit(commit) => {
                self.commits.insert(commit.id.as_str(), commit_row(commit));
            }
            Record::Run(run) => {
                self.runs.push(run_row(run));
                let actions = run.actions.iter().enumerate();
                self.actions
                    .extend(actions.map(|(position, action)| action_row(run, position, action)));
            }
            Record::Stage(change) => self.stages.push(stage_row(change)),
            Record::Phase(change) => self.phases.push(phase_row(change)),
            Record::Task(outcome) => self.tasks.push(outcome),
            Record::Drift(drift) => {
                let known = self.drift.entry(drift.id).or_insert_with(|| drift.clone());
                known.put_back_at = known.put_back_at.or(drift.put_back_at);
            }
            Record::Parked(_) | Record::Unparked { .. } => self.parked.push(record),
            Record::Status(status) => {
                let row = Some(status_row(status));
                self.statuses.insert(status.unit.to_string(), (status.updated_at, row));
            }
            Record::Gone { unit, at } => {
                self.statuses.insert(unit.to_string(), (*at, None));
            }
            Record::Roster { units, at } => {
                let units = units.iter().map(UnitName::to_string).collect();
                self.roster = Some((units, *at));
            }
            Record::Wanted { commit, at } => self.wanted = Some((commit.as_str(), *at)),
            Record::Reach(reach) => {
                self.reach.insert(&reach.name, reach_row(reach));
            }
            Record::Findings { origin, findings, at } => {
                let rows = findings.iter().take(MOST_FINDINGS).enumerate();
                let row = |(position, finding)| finding_row(origin, position, finding, *at);
                self.findings.insert(origin, rows.map(row).collect());
            }
        }
    }

    async fn write(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let Self { commits, runs, actions, stages, phases, drift, parked, .. } = self;
        insert(connection, COMMITS, commits.values()).await?;
        insert(connection, RUNS, runs).await?;
        insert(connection, ACTIONS, actions).await?;
        insert(connection, STAGES, stages).await?;
        insert(connection, PHASES, phases).await?;
        for outcome in &self.tasks {
            write_task(connection, outcome).await?;
        }
        insert(connection, DRIFT, &drift.values().map(drift_row).collect::<Vec<_>>()).await?;
        for record in parked {
            write_parked(connection, record).await?;
        }
        self.write_statuses(connection).await?;
        insert(connection, REACH, self.reach.values()).await?;
        for (origin, findings) in &self.findings {
            sqlx::query("delete from finding where origin = $1")
                .bind(*origin)
                .execute(&mut *connection)
                .await?;
            insert(connection, FINDINGS, findings).await?;
        }
        if let Some((commit, time)) = self.wanted {
            sqlx::query(WANTED).bind(commit).bind(stamp(time)).execute(connection).await?;
        }
        Ok(())
    }

    async fn write_statuses(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let rows: Vec<&Value> =
            self.statuses.values().filter_map(|(_, row)| row.as_ref()).collect();
        insert(connection, STATUSES, rows).await?;
        let gone = self.statuses.iter().filter(|(_, (_, row))| row.is_none());
        let gone: Vec<Value> =
            gone.map(|(unit, (time, _))| json!({"unit": unit, "at": at(*time)})).collect();
        insert(connection, GONE, &gone).await?;
        let Some((units, time)) = &self.roster else { return Ok(()) };
        let units: Vec<&str> = units.iter().map(String::as_str).collect();
        sqlx::query("delete from unit_status where unit <> all($1) and updated_at <= $2")
            .bind(units)
            .bind(stamp(*time))
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// Each statement takes all its rows as one JSON array: one round trip however many there are.
async fn insert<'a>(
    connection: &mut PgConnection,
    statement: &'static str,
    rows: impl IntoIterator<Item = &'a Value>,
) -> Result<(), sqlx::Error> {
    let rows: Vec<&Value> = rows.into_iter().collect();
    if !rows.is_empty() {
        sqlx::query(statement).bind(Json(rows)).execute(connection).await?;
    }
    Ok(())
}

const COMMITS: &str = "
    insert into commit_seen as known (id, author, email, subject, written_at, seen_at, verdict, refused_from, judged_at)
    select id, author, email, subject, written_at, seen_at, verdict, refused_from, seen_at
    from jsonb_to_recordset($1) as row (id text, author text, email text, subject text,
        written_at timestamptz, seen_at timestamptz, verdict text, refused_from text)
    on conflict (id) do update
    set verdict = excluded.verdict, refused_from = excluded.refused_from, judged_at = excluded.judged_at
    where known.judged_at < excluded.judged_at";

const RUNS: &str = "
    insert into run (id, unit, commit_id, cause, started_at, finished_at, result, message)
    select id, unit, commit_id, cause, started_at, finished_at, result, message
    from jsonb_to_recordset($1) as row (id uuid, unit text, commit_id text, cause text,
        started_at timestamptz, finished_at timestamptz, result text, message text)
    on conflict (id) do nothing";

const ACTIONS: &str = "
    insert into action (run_id, position, resource, verb, outcome, message, duration_us)
    select run_id, position, resource, verb, outcome, message, duration_us
    from jsonb_to_recordset($1) as row (run_id uuid, position integer, resource text, verb text,
        outcome text, message text, duration_us bigint)
    on conflict (run_id, position) do nothing";

/// A daemon that starts tells every stage anew; only what differs from the last known is a change.
const STAGES: &str = "
    with incoming as (
        select *, lag(said) over (partition by unit, subscription, stage order by changed_at, id) as before
        from (
            select *, row (state, reason)::text as said
            from jsonb_to_recordset($1) as row (id uuid, unit text, subscription text, stage text,
                state text, reason text, changed_at timestamptz)
        ) as rows
    )
    insert into stage_change (id, unit, subscription, stage, state, reason, changed_at)
    select id, unit, subscription, stage, state, reason, changed_at
    from incoming
    where said is distinct from coalesce(before, (
        select row (known.state, known.reason)::text
        from stage_change as known
        where known.unit = incoming.unit and known.subscription = incoming.subscription
            and known.stage = incoming.stage and known.changed_at <= incoming.changed_at
        order by known.changed_at desc, known.id desc
        limit 1
    ))
    on conflict (id) do nothing";

const PHASES: &str = "
    with incoming as (
        select *, lag(phase) over (partition by unit, subscription order by changed_at, id) as before
        from jsonb_to_recordset($1) as row (id uuid, unit text, subscription text, phase text,
            changed_at timestamptz)
    )
    insert into phase_change (id, unit, subscription, phase, changed_at)
    select id, unit, subscription, phase, changed_at
    from incoming
    where phase is distinct from coalesce(before, (
        select known.phase
        from phase_change as known
        where known.unit = incoming.unit and known.subscription = incoming.subscription
            and known.changed_at <= incoming.changed_at
        order by known.changed_at desc, known.id desc
        limit 1
    ))
    on conflict (id) do nothing";

const DRIFT: &str = r#"
    insert into drift as known (id, unit, resource, what, by, found_at, put_back_at)
    select id, unit, resource, what, "by", found_at, put_back_at
    from jsonb_to_recordset($1) as row (id uuid, unit text, resource text, what text, "by" text,
        found_at timestamptz, put_back_at timestamptz)
    on conflict (id) do update set put_back_at = excluded.put_back_at
    where known.put_back_at is null and excluded.put_back_at is not null"#;

/// A unit that stays in its state has been in it since the first time.
const STATUSES: &str = "
    insert into unit_status as known (unit, state, commit_id, since, reason, next_try, updated_at)
    select unit, state, commit_id, since, reason, next_try, updated_at
    from jsonb_to_recordset($1) as row (unit text, state text, commit_id text, since timestamptz,
        reason text, next_try timestamptz, updated_at timestamptz)
    on conflict (unit) do update
    set state = excluded.state, commit_id = excluded.commit_id, reason = excluded.reason,
        next_try = excluded.next_try, updated_at = excluded.updated_at,
        since = case when known.state = excluded.state then least(known.since, excluded.since)
            else excluded.since end
    where known.updated_at <= excluded.updated_at";

const GONE: &str = "
    delete from unit_status as known
    using jsonb_to_recordset($1) as row (unit text, at timestamptz)
    where known.unit = row.unit and known.updated_at <= row.at";

const REACH: &str = "
    insert into reach as known (name, state, since, why, updated_at)
    select name, state, since, why, updated_at
    from jsonb_to_recordset($1) as row (name text, state text, since timestamptz, why text,
        updated_at timestamptz)
    on conflict (name) do update
    set state = excluded.state, why = excluded.why, updated_at = excluded.updated_at,
        since = case when known.state = excluded.state then least(known.since, excluded.since)
            else excluded.since end
    where known.updated_at <= excluded.updated_at";

const FINDINGS: &str = "
    insert into finding (origin, position, rule, severity, place, message, help, seen_at)
    select origin, position, rule, severity, place, message, help, seen_at
    from jsonb_to_recordset($1) as row (origin text, position integer, rule text, severity text,
        place text, message text, help text, seen_at timestamptz)";

const WANTED: &str = "
    insert into wanted_commit as known (commit_id, at) values ($1, $2)
    on conflict (singleton) do update set commit_id = excluded.commit_id, at = excluded.at
    where known.at <= excluded.at";

/// A daemon that starts tells of every task anew: how one ended first is how it ended.
async fn write_task(
    connection: &mut PgConnection,
    outcome: &TaskOutcome,
) -> Result<(), sqlx::Error> {
    let statement = "
        insert into task_outcome as known (unit, task, state, message, began_at, ended_at)
        values ($1, $2, $3, $4, $5, case when $6 then $5 end)
        on conflict (unit, task) do update
        set state = excluded.state, message = excluded.message, ended_at = excluded.ended_at
        where known.ended_at is null and excluded.ended_at is not null";
    sqlx::query(statement)
        .bind(outcome.unit.to_string())
        .bind(outcome.task.as_str())
        .bind(word(&outcome.state))
        .bind(outcome.message.as_deref().map(text))
        .bind(stamp(outcome.at))
        .bind(outcome.state != TaskState::Running)
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_parked(connection: &mut PgConnection, record: &Record) -> Result<(), sqlx::Error> {
    match record {
        Record::Parked(Parked { id, digest, units, ids, reason, since }) => {
            // Without a target, both the same record and the same deletions are left alone.
            let statement = "
                insert into parked (id, digest, units, ids, reason, since)
                values ($1, $2, $3, $4, $5, $6) on conflict do nothing";
            sqlx::query(statement)
                .bind(id)
                .bind(digest.to_string())
                .bind(units.iter().map(ToString::to_string).collect::<Vec<_>>())
                .bind(ids.iter().map(word).collect::<Vec<_>>())
                .bind(text(reason))
                .bind(stamp(*since))
                .execute(connection)
                .await?;
        }
        Record::Unparked { digest, ending, at: time } => {
            let statement = "
                update parked set ended_at = $2, ending = $3
                where digest = $1 and ended_at is null and since <= $2";
            sqlx::query(statement)
                .bind(digest.to_string())
                .bind(stamp(*time))
                .bind(word(ending))
                .execute(connection)
                .await?;
        }
        _ => {}
    }
    Ok(())
}

fn commit_row(commit: &CommitSeen) -> Value {
    json!({
        "id": commit.id,
        "author": text(&commit.author),
        "email": text(&commit.email),
        "subject": text(&commit.subject),
        "written_at": at(commit.written_at),
        "seen_at": at(commit.seen_at),
        "verdict": if commit.refused_from.is_some() { "refused" } else { "taken" },
        "refused_from": commit.refused_from,
    })
}

fn finding_row(origin: &str, position: usize, finding: &Finding, seen: Timestamp) -> Value {
    json!({
        "origin": origin,
        "position": position,
        "rule": finding.rule,
        "severity": finding.severity,
        "place": finding.place.to_string(),
        "message": text(&finding.message),
        "help": finding.help.as_deref().map(text),
        "seen_at": at(seen),
    })
}

fn run_row(run: &Run) -> Value {
    json!({
        "id": run.id,
        "unit": run.unit,
        "commit_id": run.commit,
        "cause": run.cause,
        "started_at": at(run.started_at),
        "finished_at": at(run.finished_at),
        "result": run.result,
        "message": run.message.as_deref().map(text),
    })
}

fn action_row(run: &Run, position: usize, action: &ActionRecord) -> Value {
    json!({
        "run_id": run.id,
        "position": position,
        "resource": action.id,
        "verb": action.verb,
        "outcome": action.outcome,
        "message": action.message.as_deref().map(text),
        "duration_us": u64::try_from(action.duration.as_micros()).unwrap_or(u64::MAX >> 1),
    })
}

fn stage_row(change: &StageChange) -> Value {
    let reason = match &change.state {
        StageState::Progressing(reason) | StageState::Failed(reason) => Some(text(reason)),
        StageState::Waiting | StageState::Applying | StageState::Ready => None,
    };
    json!({
        "id": change.id,
        "unit": change.unit,
        "subscription": change.subscription.as_ref().map_or("", |name| name.as_str()),
        "stage": change.stage,
        "state": change.state.word(),
        "reason": reason,
        "changed_at": at(change.at),
    })
}

fn phase_row(change: &PhaseChange) -> Value {
    json!({
        "id": change.id,
        "unit": change.unit,
        "subscription": change.subscription,
        "phase": change.phase,
        "changed_at": at(change.at),
    })
}

fn drift_row(drift: &Drift) -> Value {
    json!({
        "id": drift.id,
        "unit": drift.unit,
        "resource": drift.resource,
        "what": text(&drift.what),
        "by": drift.by.as_deref().map(text),
        "found_at": at(drift.found_at),
        "put_back_at": drift.put_back_at.map(at),
    })
}

fn status_row(status: &UnitStatus) -> Value {
    json!({
        "unit": status.unit,
        "state": status.state,
        "commit_id": status.commit,
        "since": at(status.since),
        "reason": status.reason.as_deref().map(text),
        "next_try": status.next_try.map(at),
        "updated_at": at(status.updated_at),
    })
}

fn reach_row(reach: &Reach) -> Value {
    json!({
        "name": reach.name,
        "state": if reach.reachable { "reachable" } else { "unreachable" },
        "since": at(reach.since),
        "why": reach.why.as_deref().map(text),
        "updated_at": at(reach.updated_at),
    })
}

/// A time as the rows in JSON hold it.
fn at(time: Timestamp) -> String {
    rounded(time).to_string()
}

/// A text that PostgreSQL takes, of a length that is worth keeping, without the password that a
/// URL in somebody's error message may hold.
fn text(text: &str) -> String {
    let shown: String = text.chars().filter(|letter| *letter != '\0').take(LONGEST_TEXT).collect();
    without_passwords(&shown)
}

/// Hides what stands between `://user:` and `@`.
fn without_passwords(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let end = after
            .find(|letter: char| letter.is_whitespace() || matches!(letter, '/' | '"' | '\'' | '`'))
            .unwrap_or(after.len());
        rest = after;
        if let Some((login, _)) = after[..end].rsplit_once('@')
            && let Some((user, _)) = login.split_once(':')
        {
            shown.push_str(user);
            shown.push_str(":[hidden]");
            rest = &after[login.len()..];
        }
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_url_does_not_come_into_history() {
        for (said, kept) in [
            ("plain", "plain"),
            ("see https://example.com/a:b@c", "see https://example.com/a:b@c"),
            (
                "postgres://ada:hunter2@db:5432/x is away",
                "postgres://ada:[hidden]@db:5432/x is away",
            ),
            ("`amqp://a:p@q` and http://b:p@ss@c", "`amqp://a:[hidden]@q` and http://b:[hidden]@c"),
            ("ssh://git@host/x", "ssh://git@host/x"),
        ] {
            assert_eq!(text(said), kept);
        }
    }

    #[test]
    fn a_text_is_what_postgresql_takes() {
        assert_eq!(text("a\0b"), "ab");
        assert_eq!(text(&"ä".repeat(5_000)).chars().count(), LONGEST_TEXT);
    }
}
