//! Alerts in PostgreSQL. What becomes of all of them at one look is one transaction, with the mails
//! that tell of it: killed anywhere, it is looked at anew, and nobody is told twice.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;
use sqlx::PgConnection;
use sqlx::PgPool;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::Alert;
use super::AlertError;
use super::Kind;
use super::Subject;
use super::Turn;
use crate::accounts;
use crate::model::Name;
use crate::postgres::stamp;

/// How many alerts one mail speaks of by their sentences.
const TOLD: usize = 20;

/// Every alert that is not closed, also those that are not told yet.
pub async fn standing(pool: &PgPool) -> Result<Vec<Alert>, AlertError> {
    let rows = sqlx::query("select * from alert where closed_at is null order by kind, subject");
    rows.fetch_all(pool).await?.iter().map(read).collect()
}

/// The alerts that are open, the oldest first.
pub async fn open(pool: &PgPool) -> Result<Vec<Alert>, AlertError> {
    let statement = "select * from alert where closed_at is null and opened_at is not null
        order by opened_at, id";
    sqlx::query(statement).fetch_all(pool).await?.iter().map(read).collect()
}

/// Which alerts to list.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub kind: Option<Kind>,
    /// Only those that are open, or only those that are closed.
    pub open: Option<bool>,
    /// Only what was opened before this one.
    pub before: Option<(Timestamp, Uuid)>,
}

/// Alerts that were told, the newest first, so many at most.
pub async fn list(pool: &PgPool, asked: &Asked, most: i64) -> Result<Vec<Alert>, AlertError> {
    let statement = "select * from alert
        where opened_at is not null and ($1::text is null or kind = $1)
            and ($2::bool is null or (closed_at is null) = $2)
            and ($3::timestamptz is null or (opened_at, id) < ($3, $4))
        order by opened_at desc, id desc limit $5";
    let (at, id) = asked.before.unzip();
    let rows = sqlx::query(statement)
        .bind(asked.kind.map(Kind::word))
        .bind(asked.open)
        .bind(at.map(stamp))
        .bind(id)
        .bind(most)
        .fetch_all(pool)
        .await?;
    rows.iter().map(read).collect()
}

/// What became of alerts at one look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Became {
    pub opened: usize,
    pub closed: usize,
}

/// Carries turns out, and tells operators of what opens: all of a kind in one mail.
pub async fn take(pool: &PgPool, turns: &[Turn<'_>], now: Timestamp) -> Result<Became, AlertError> {
    let mut transaction = pool.begin().await?;
    let mut opened: BTreeMap<Kind, Vec<Alert>> = BTreeMap::new();
    let mut became = Became::default();
    for turn in turns {
        let changed = carry_out(&mut transaction, turn, now).await?;
        match (turn, changed) {
            (Turn::Begins { told: true, .. } | Turn::Opens { .. }, Some(alert)) => {
                opened.entry(alert.kind).or_default().push(alert);
                became.opened += 1;
            }
            (Turn::Closes { .. }, Some(_)) => became.closed += 1,
            _ => {}
        }
    }
    for alerts in opened.values() {
        tell(&mut transaction, alerts, now).await?;
    }
    transaction.commit().await?;
    Ok(became)
}

/// The alert as it became; none where somebody else has written it meanwhile.
async fn carry_out(
    db: &mut PgConnection,
    turn: &Turn<'_>,
    now: Timestamp,
) -> Result<Option<Alert>, AlertError> {
    const ANEW: &str = "update alert set what = $3, since = $2, seen_at = $2
        where id = $1 and opened_at is null returning *";
    const OPENS: &str = "update alert set what = $3, seen_at = $2, opened_at = $2
        where id = $1 and opened_at is null returning *";
    const LASTS: &str = "update alert set what = $3, seen_at = $2, eased_at = null
        where id = $1 and closed_at is null returning *";
    const EASES: &str = "update alert set eased_at = $2
        where id = $1 and closed_at is null and eased_at is null returning *";
    const CLOSES: &str = "update alert set closed_at = $2
        where id = $1 and closed_at is null and eased_at is not null returning *";
    const PASSES: &str = "delete from alert where id = $1 and opened_at is null returning *";
    let (statement, id, what) = match turn {
        Turn::Begins { subject, what, told } => {
            return begin(db, subject, (what, *told), now).await;
        }
        Turn::BeginsAnew { id, what } => (ANEW, id, Some(what)),
        Turn::Opens { id, what } => (OPENS, id, Some(what)),
        Turn::Lasts { id, what } => (LASTS, id, Some(what)),
        Turn::Eases { id } => (EASES, id, None),
        Turn::Closes { id } => (CLOSES, id, None),
        Turn::Passes { id } => (PASSES, id, None),
    };
    let mut query = sqlx::query(statement).bind(id);
    // The statement that deletes says no time.
    if !matches!(turn, Turn::Passes { .. }) {
        query = query.bind(stamp(now));
    }
    if let Some(what) = what {
        query = query.bind(*what);
    }
    query.fetch_optional(db).await?.as_ref().map(read).transpose()
}

async fn begin(
    db: &mut PgConnection,
    subject: &Subject,
    (what, told): (&str, bool),
    now: Timestamp,
) -> Result<Option<Alert>, AlertError> {
    let row = sqlx::query(
        "insert into alert (id, kind, subject, cluster, what, since, seen_at, opened_at)
         values ($1, $2, $3, $4, $5, $6, $6, case when $7 then $6 end)
         on conflict (kind, subject) where closed_at is null do nothing returning *",
    )
    .bind(Uuid::now_v7())
    .bind(subject.kind.word())
    .bind(&subject.name)
    .bind(subject.cluster.as_ref().map(Name::as_str))
    .bind(what)
    .bind(stamp(now))
    .bind(told)
    .fetch_optional(db)
    .await?;
    row.as_ref().map(read).transpose()
}

/// Mails to operators what has opened. An alert opens once, so what the first of them names is told
/// once.
async fn tell(db: &mut PgConnection, alerts: &[Alert], now: Timestamp) -> Result<(), AlertError> {
    let Some(first) = alerts.first() else { return Ok(()) };
    let mut lines: Vec<&str> = alerts.iter().take(TOLD).map(|alert| &*alert.what).collect();
    if alerts.len() > TOLD {
        lines.push("…");
    }
    let values = json!({
        "kind": first.kind,
        "about": first.subject,
        "more": alerts.len() - 1,
        "lines": lines,
        "at": now,
    });
    accounts::tell_operators(db, "alert", &first.id.to_string(), &values, now).await?;
    Ok(())
}

fn read(row: &PgRow) -> Result<Alert, AlertError> {
    let time = |column: &str| -> Result<Option<Timestamp>, sqlx::Error> {
        let time: Option<jiff_sqlx::Timestamp> = row.try_get(column)?;
        Ok(time.map(jiff_sqlx::Timestamp::to_jiff))
    };
    let always = |column: &str| -> Result<Timestamp, sqlx::Error> {
        Ok(row.try_get::<jiff_sqlx::Timestamp, _>(column)?.to_jiff())
    };
    let kind: &str = row.try_get("kind")?;
    let cluster: Option<&str> = row.try_get("cluster")?;
    let unreadable = |text: &str| AlertError::Unreadable(text.to_owned());
    Ok(Alert {
        id: row.try_get("id")?,
        kind: Kind::of(kind).ok_or_else(|| unreadable(kind))?,
        subject: row.try_get("subject")?,
        cluster: cluster.map(|text| text.parse().map_err(|_| unreadable(text))).transpose()?,
        what: row.try_get("what")?,
        since: always("since")?,
        seen_at: always("seen_at")?,
        opened_at: time("opened_at")?,
        eased_at: time("eased_at")?,
        closed_at: time("closed_at")?,
    })
}
