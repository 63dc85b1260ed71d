//! The life of a subscription as decisions: what is due now, from facts and the time.
//!
//! ```text
//!  −7 days        −1        expiry        suspension           grace over      retention over
//!  invoice,   ask, renew   ────────►  (invoice, no payment  ──► final backup, ──► purge
//!  reminders  from wallet              in flight) reminders      removal
//!                                      paid: runs again
//! ```
//!
//! Nothing here happens: whoever carries an effect out writes it with its key, which makes it
//! happen once. So the same may be asked as often as one likes, and after any crash.

mod change;
mod effect;
mod ending;
mod facts;
mod payment;
#[cfg(test)]
mod tests;

pub use change::ChangeRefused;
pub use change::Timing;
pub use change::timing;
pub use effect::Due;
pub use effect::Effect;
pub use effect::Template;
pub use ending::PurgeLimits;
pub use ending::ended_on;
pub use ending::purges_allowed;
pub use facts::Cancellation;
pub use facts::Facts;
pub use facts::FinalBackup;
pub use facts::OpenInvoice;
pub use facts::Removal;
pub use facts::WaitingChange;

use jiff::Timestamp;

use super::calendar::CalendarError;
use super::calendar::day_of;
use super::calendar::days_between;

/// Everything that is due now, in the order in which it is to be carried out.
///
/// What depends on something that is due itself (a renewal on its invoice) becomes due after that
/// was carried out and the facts were gathered again.
pub fn due(facts: &Facts<'_>, now: Timestamp) -> Result<Vec<Due>, CalendarError> {
    if facts.removal.is_some() {
        return ending::after_removal(facts, now);
    }
    let mut due = Vec::new();
    let today = day_of(now, facts.zone);
    if facts.cancelled == Some(Cancellation::Now) {
        ending::end(facts, facts.paid_until.unwrap_or(today), &mut due);
        return Ok(due);
    }
    // What has no end is billed by hand.
    let Some(paid_until) = facts.paid_until else { return Ok(due) };
    let days = days_between(paid_until, today);
    payment::echo(facts, paid_until, today, &mut due);
    if facts.cancelled == Some(Cancellation::AtEnd) {
        if days >= 0 {
            ending::end(facts, paid_until, &mut due);
        }
        return Ok(due);
    }
    payment::collect(facts, paid_until, today, &mut due)?;
    payment::remind(facts, paid_until, today, &mut due);
    payment::suspend(facts, paid_until, today, &mut due);
    if days >= 0 && ending::grace_is_over(facts, paid_until, now)? {
        ending::end(facts, paid_until, &mut due);
    }
    Ok(due)
}
