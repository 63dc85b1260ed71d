//! What follows for subscriptions whose documents are gone: who they were is told, and what is kept
//! of them goes when it was kept long enough, a few at a time.

use std::collections::BTreeMap;

use jiff::Span;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sqlx::PgConnection;

use super::carry;
use super::carry::Outcome;
use super::done;
use super::facts;
use crate::billing::calendar::Anchor;
use crate::billing::calendar::day_of;
use crate::billing::lifecycle::Due;
use crate::billing::lifecycle::Effect;
use crate::billing::lifecycle::Facts;
use crate::billing::lifecycle::FinalBackup;
use crate::billing::lifecycle::PurgeLimits;
use crate::billing::lifecycle::Removal;
use crate::billing::lifecycle::due;
use crate::billing::lifecycle::purges_allowed;
use crate::billing::terms::BoughtTerm;
use crate::jobs::Ground;
use crate::jobs::JobError;
use crate::model::Document;
use crate::model::Platform;
use crate::model::SubscriptionId;
use crate::model::money::Money;
use crate::model::package::Runs;
use crate::model::term::Term;
use crate::operations::order;

/// Percent of all subscriptions that may be due to be purged at once: more of them than that, and
/// somebody has to look first.
const PURGES_AT_ONCE: u8 = 5;

/// A purge that is due.
struct Purge<'a> {
    id: &'a SubscriptionId,
    due: Due,
    /// The last backup, where one was made.
    backup: Option<String>,
}

/// Carries out what is due for subscriptions whose documents are gone. Says how much was done.
pub(super) async fn follow(
    ground: &Ground,
    platform: &Document<Platform>,
    sold: &BTreeMap<SubscriptionId, BoughtTerm>,
    findings: &mut Vec<String>,
) -> Result<usize, JobError> {
    let (zone, now) = (ground.zone(), ground.now);
    let mut connection = ground.database().pool().acquire().await?;
    let purged = done::purged(&mut connection).await?;
    drop(connection);
    let mut carried = 0;
    let mut purges = Vec::new();
    for (id, last) in sold {
        let is_over = |at: &Timestamp| day_of(*at, &zone) > last.period.start;
        if purged.get(&id.to_string()).is_some_and(is_over) {
            continue;
        }
        let mut connection = ground.database().pool().acquire().await?;
        let Some(at) = facts::removed_at(&mut connection, id, now).await? else {
            if last.deadlines.purge_after > now {
                findings.push(format!(
                    "{id}: days of it are sold, and its document is gone without an operation: look who removed it"
                ));
            }
            continue;
        };
        let on = day_of(at, &zone);
        let (backup, days) = match done::last_backup(&mut connection, id, at).await? {
            Some((backup, days)) => (Some(backup), days),
            None => (None, None),
        };
        let retained_until = retained_until(last, on, days, platform, &zone);
        let removal = Removal { on, retained_until };
        let mut due = after_removal(id, last, removal, platform, &zone, now)?;
        let purges_it = due.iter().any(|due| due.effect == Effect::Purge);
        if purges_it && !ran_on_a_cluster(&mut connection, ground, id).await? {
            due.retain(|due| due.effect != Effect::Purge);
        } else if purges_it {
            findings.extend(done::failed(&mut connection, id, now).await?);
        }
        for due in super::new(&mut connection, due, ground).await? {
            if due.effect == Effect::Purge {
                purges.push(Purge { id, due, backup: backup.clone() });
                continue;
            }
            let kept = backup.as_deref().map(|backup| (backup, retained_until));
            let outcome = carry::tell_end(ground, id, &due, kept).await?;
            carried += usize::from(outcome == Outcome::Done);
        }
    }
    Ok(carried + purge(ground, platform, purges, sold.len(), findings).await?)
}

/// Whether anything may be kept of it: of what was sold last, where that is still known.
async fn ran_on_a_cluster(
    db: &mut PgConnection,
    ground: &Ground,
    id: &SubscriptionId,
) -> Result<bool, JobError> {
    let sold = order::last_sale(db, id).await?;
    let packages = &ground.documents()?.configuration.packages;
    let package = sold.and_then(|sold| packages.get(&sold.package));
    Ok(package.is_none_or(|package| package.spec.runs == Runs::Cluster))
}

/// Asks for as many purges as may be: no more within an hour than namespaces may be deleted at
/// once, so that deletions are not parked because of them.
async fn purge(
    ground: &Ground,
    platform: &Document<Platform>,
    purges: Vec<Purge<'_>>,
    ended: usize,
    findings: &mut Vec<String>,
) -> Result<usize, JobError> {
    if purges.is_empty() {
        return Ok(0);
    }
    let per_hour = platform.spec.deletions.limit.namespaces;
    let limits = PurgeLimits { per_hour, at_once: PURGES_AT_ONCE };
    let subscriptions = &ground.documents()?.configuration.subscriptions;
    let all = subscriptions.values().map(|of_tenant| of_tenant.len()).sum::<usize>() + ended;
    let mut connection = ground.database().pool().acquire().await?;
    let lately = done::purges_of_this_hour(&mut connection, ground.now).await?;
    drop(connection);
    let allowed = purges_allowed(purges.len(), all, lately, limits);
    if allowed == 0 && lately < per_hour.max(1) {
        findings.push(format!(
            "{} subscriptions ended long enough ago that nothing has to be kept of them, which is \
             too much to be deleted at once: look at them, and raise `deletions.limit.namespaces` \
             of the platform to let them go",
            purges.len()
        ));
    }
    let mut carried = 0;
    for Purge { id, due, backup } in purges.into_iter().take(allowed) {
        match carry::purge(ground, id, &due, backup).await? {
            Outcome::Done => carried += 1,
            Outcome::Nothing => {}
            Outcome::Cannot(why) => findings.push(why),
        }
    }
    Ok(carried)
}

/// The first day on which nothing has to be kept: as long as somebody said, or else as the platform
/// says, and not shorter than was promised when the days were sold.
fn retained_until(
    last: &BoughtTerm,
    removed: Date,
    days: Option<i64>,
    platform: &Document<Platform>,
    zone: &TimeZone,
) -> Date {
    if let Some(days) = days {
        return removed.checked_add(Span::new().days(days)).unwrap_or(Date::MAX);
    }
    let retention = platform.spec.lifecycle.retention;
    let kept = removed.checked_add(retention.span()).unwrap_or(Date::MAX);
    kept.max(day_of(last.deadlines.purge_after, zone))
}

/// What is due for a subscription that was removed.
fn after_removal(
    id: &SubscriptionId,
    last: &BoughtTerm,
    removal: Removal,
    platform: &Document<Platform>,
    zone: &TimeZone,
    now: Timestamp,
) -> Result<Vec<Due>, JobError> {
    let facts = Facts {
        subscription: id,
        zone,
        // Nothing is sold any more.
        anchor: &Anchor::new(last.anchor, Term::days(1))?,
        lifecycle: &platform.spec.lifecycle,
        paid_until: Some(last.period.end),
        written_through: None,
        overdue_since: None,
        trial: false,
        renews: false,
        renewal_wanted: false,
        cancelled: None,
        change: None,
        wallet: Money::zero(platform.spec.currency),
        payment_in_flight: false,
        gateway_asked: true,
        invoice: None,
        exempt: false,
        final_backup: FinalBackup::Missing,
        removal: Some(removal),
        total: &|_| None,
    };
    Ok(due(&facts, now)?)
}
