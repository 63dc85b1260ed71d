//! The life of a subscription, carried out: for each one it is gathered what is known, decided by
//! `billing::lifecycle` what is due, and done once by its key.
//!
//! ```text
//! documents, terms, invoices, wallet, payments ──► facts ──► due ──► invoice, renewal  (ledger)
//!        ▲                                                     ├───► mail              (outbox)
//!        └──────────── commit ◄── operation ◄──────────────────┘     hold, lift, days, last backup, removal,
//!                                                               purge (operations)
//! ```
//!
//! What cannot be done here is a finding of the run, and never pretended.

mod carry;
mod done;
mod facts;
mod given;
mod removed;

use std::sync::Arc;

use jiff::SignedDuration;
use jiff::civil::Date;

use super::Ground;
use super::Job;
use super::JobError;
use super::Report;
use super::Schedule;
use crate::billing::lifecycle::Due;
use crate::billing::terms;
use crate::billing::terms::BoughtTerm;
use crate::model::SubscriptionId;
use crate::model::subscription::HoldReason;
use crate::operations::pricing::Shop;

use carry::Outcome;
use facts::Subject;

/// What depends on something that is due itself becomes due in the next round; more than these
/// are left to the next run.
const ROUNDS: usize = 8;

pub(super) fn jobs() -> Vec<Job> {
    let job = Job::new(
        "lifecycle",
        "Invoice, remind, renew, suspend and let run again what ends by the clock",
        Schedule::Every(SignedDuration::from_mins(1)),
        live,
    );
    vec![job.with_documents()]
}

async fn live(ground: Ground) -> Result<Report, JobError> {
    let configuration = Arc::clone(&ground.documents()?.configuration);
    let mut report = Report::default();
    // Nothing is sold where there is no platform.
    let Some(platform) = configuration.platform.as_ref() else {
        return Ok(Report::of("there is no platform yet"));
    };
    let shop = Shop::open(&configuration, ground.now)?;
    let mut connection = ground.database().pool().acquire().await?;
    let mut sold = terms::last_of_all(&mut connection).await?;
    drop(connection);
    let (mut looked, mut carried) = (0, 0);
    for (tenant, subscriptions) in &configuration.subscriptions {
        for (name, document) in subscriptions.iter() {
            let id = SubscriptionId { tenant: tenant.clone(), name: name.clone() };
            let last = sold.remove(&id);
            let Some(package) = configuration.packages.get(&document.spec.package) else {
                // Validation says so.
                continue;
            };
            let spec = document.spec.clone();
            let lifecycle = shop.lifecycle(&package.spec);
            let configuration = Arc::clone(&configuration);
            let subject = Subject { id, spec, lifecycle, configuration };
            if !may_be_due(&subject, last.as_ref(), shop.today()) {
                continue;
            }
            looked += 1;
            let one = one(&ground, &subject, last.as_ref(), &mut report.findings).await;
            carried += counted(one, &subject.id, &mut report.findings)?;
        }
    }
    carried += removed::follow(&ground, platform, &sold, &mut report.findings).await?;
    report.summary = format!("{carried} done, {looked} looked at");
    Ok(report)
}

/// One that cannot be dealt with keeps nobody else, unless nobody can be.
fn counted(
    one: Result<usize, JobError>,
    id: &SubscriptionId,
    findings: &mut Vec<String>,
) -> Result<usize, JobError> {
    match one {
        Ok(carried) => Ok(carried),
        Err(error) if error.is_passing() => Err(error),
        Err(error) => {
            findings.push(format!("{id}: {error}"));
            Ok(0)
        }
    }
}

/// Whether it is worth to look closer. Most are in the middle of what is paid for, and their
/// documents say so.
fn may_be_due(subject: &Subject, last: Option<&BoughtTerm>, today: Date) -> bool {
    let Some(written) = subject.spec.paid_through else { return false };
    let Some(last) = last else { return true };
    let end = last.period.end;
    let warned = end.checked_sub(subject.lifecycle.expiring.span()).unwrap_or(end);
    let held = subject.spec.holds.iter().any(|hold| hold.reason == HoldReason::Overdue);
    today >= warned || written != last.period.last_day() || held
}

/// Everything that is due for one subscription, until nothing new is. Says how much was done.
async fn one(
    ground: &Ground,
    subject: &Subject,
    last: Option<&BoughtTerm>,
    findings: &mut Vec<String>,
) -> Result<usize, JobError> {
    let (pool, now) = (ground.database().pool(), ground.now);
    let mut transaction = pool.begin().await?;
    given::by_people(&mut transaction, subject, last, now).await?;
    transaction.commit().await?;
    let mut carried = 0;
    for _ in 0..ROUNDS {
        let mut connection = pool.acquire().await?;
        let known = facts::gather(&mut connection, subject, now).await?;
        let changed = carry::note_delivery(&mut connection, &known, now).await?
            || given::for_nothing(&mut connection, &known, now).await?;
        if changed {
            continue;
        }
        let due = new(&mut connection, known.due(now)?, ground).await?;
        drop(connection);
        let mut done = 0;
        let mut cannot = Vec::new();
        for due in &due {
            match carry::out(ground, subject, due).await? {
                Outcome::Done => done += 1,
                Outcome::Nothing => {}
                Outcome::Cannot(why) => cannot.push(why),
            }
        }
        carried += done;
        if done == 0 {
            findings.append(&mut cannot);
            break;
        }
    }
    let mut connection = pool.acquire().await?;
    findings.extend(done::failed(&mut connection, &subject.id, now).await?);
    Ok(carried)
}

/// What of it was not done before.
async fn new(
    db: &mut sqlx::PgConnection,
    due: Vec<Due>,
    ground: &Ground,
) -> Result<Vec<Due>, JobError> {
    let mut new = Vec::new();
    for due in due {
        if !done::is_done(db, &due.key, ground.now).await? {
            new.push(due);
        }
    }
    Ok(new)
}
