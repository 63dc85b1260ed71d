//! The end: the last backup, the removal by a commit, and, much later, the purge by another one.

use jiff::Timestamp;
use jiff::civil::Date;

use super::Due;
use super::Effect;
use super::Facts;
use super::FinalBackup;
use super::Template;
use crate::billing::calendar::CalendarError;
use crate::billing::calendar::start_of_day;

/// Whether grace is over: it begins with the suspension, also where that came late.
pub(super) fn grace_is_over(
    facts: &Facts<'_>,
    paid_until: Date,
    now: Timestamp,
) -> Result<bool, CalendarError> {
    let Some(suspended) = facts.overdue_since else { return Ok(false) };
    if facts.payment_in_flight || facts.exempt {
        return Ok(false);
    }
    let from = paid_until.max(suspended);
    let over = from
        .checked_add(facts.lifecycle.grace.span())
        .map_err(|_| CalendarError::EndOfCalendar(from))?;
    Ok(now >= start_of_day(over, facts.zone)?)
}

/// The day after which nothing is written any more: a last backup is of this end, and not of an
/// earlier one that was called off.
pub fn ended_on(paid_until: Date, overdue_since: Option<Date>) -> Date {
    overdue_since.map_or(paid_until, |since| since.max(paid_until))
}

/// The next step of ending: nothing is removed before its last backup was read back, where one is
/// taken.
pub(super) fn end(facts: &Facts<'_>, paid_until: Date, due: &mut Vec<Due>) {
    let day = ended_on(paid_until, facts.overdue_since);
    match facts.final_backup {
        FinalBackup::Missing => due.push(Due::of(facts, Effect::TakeFinalBackup, day)),
        FinalBackup::Running => {}
        FinalBackup::Verified | FinalBackup::NotAsked => {
            let retained_until = paid_until
                .checked_add(facts.lifecycle.grace.span())
                .and_then(|grace| grace.checked_add(facts.lifecycle.retention.span()))
                .ok();
            due.push(Due::of(facts, Effect::Remove { retained_until }, day));
        }
    }
}

/// After the commit that removed it: who it was is told, and in the end what is kept of it goes.
pub(super) fn after_removal(facts: &Facts<'_>, now: Timestamp) -> Result<Vec<Due>, CalendarError> {
    let Some(removal) = facts.removal else { return Ok(Vec::new()) };
    let mail = Effect::Mail { template: Template::Ended, about: None, day: 0 };
    let mut due = vec![Due::of(facts, mail, removal.on)];
    if now >= start_of_day(removal.retained_until, facts.zone)? {
        due.push(Due::of(facts, Effect::Purge, removal.on));
    }
    Ok(due)
}

/// How many purges there may be.
#[derive(Clone, Copy, Debug)]
pub struct PurgeLimits {
    pub per_hour: usize,
    /// Percent of all subscriptions, and never less than `per_hour`: were more due at once,
    /// something is wrong and none goes.
    pub at_once: u8,
}

/// How many of the purges that are due may go now.
pub fn purges_allowed(
    due: usize,
    subscriptions: usize,
    in_this_hour: usize,
    limits: PurgeLimits,
) -> usize {
    // A young business would never purge otherwise.
    let few =
        (subscriptions.saturating_mul(usize::from(limits.at_once)) / 100).max(limits.per_hour);
    if due > few { 0 } else { due.min(limits.per_hour.saturating_sub(in_this_hour)) }
}
