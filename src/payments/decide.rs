//! What follows from what a provider says, decided without touching anything: the same reports in
//! any order and number come to the same end.

use jiff::Timestamp;

use super::payment::Payment;
use super::payment::State;
use super::report::Report;
use super::report::Standing;
use crate::model::money::Money;

const PARTLY_REFUNDED: i16 = 4;
const REFUNDED: i16 = 5;
/// Up to here a payment may be cancelled after it was ours.
const CAPTURED: i16 = 2;

/// What to do with a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub state: State,
    pub rank: i16,
    /// The money is there, for the first time.
    pub arrives: bool,
    /// It came when it was not waited for any more.
    pub late: bool,
    pub why: Option<String>,
    /// What went back by refunds in all, and what banks took in all.
    pub refunded: Money,
    pub disputed: Money,
    pub transaction: Option<String>,
}

/// Why what a provider says is not acted on; a person has to look at it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Guard {
    #[error("it says {said}, and {expected} were asked for: nothing was booked, look there")]
    Amount { said: Money, expected: Money },
    #[error("more is said to have gone back than was paid ({0}): look there")]
    TooMuchBack(Money),
    #[error("{0} are said to have gone back of what never was paid: look there")]
    NothingToGoBack(Money),
}

/// What to do; nothing where it says nothing new. `arrived` is when we were told.
pub fn decide(
    payment: &Payment,
    report: &Report,
    arrived: Timestamp,
) -> Result<Option<Decision>, Guard> {
    let expected = payment.amount;
    if let Some(said) = report.amount.filter(|said| *said != expected) {
        return Err(Guard::Amount { said, expected });
    }
    let paid = payment.state == State::Paid;
    let arrives = !paid && report.standing.is_paid();
    let mut refunded = most(payment.refunded, report.refunded)?;
    let disputed = most(payment.disputed, report.disputed)?;
    // Cancelled after it was ours, and before it settled: the bank gave all of it back.
    if paid && matches!(report.standing, Standing::Failed(_)) && payment.rank <= CAPTURED {
        refunded = Money::new(expected.minor - disputed.minor, expected.currency);
    }
    let back = Money::new(refunded.minor.saturating_add(disputed.minor), expected.currency);
    if back.minor > expected.minor {
        return Err(Guard::TooMuchBack(back));
    }
    if back.minor > 0 && !paid && !arrives {
        return Err(Guard::NothingToGoBack(back));
    }
    let (state, why) = match &report.standing {
        standing if paid || standing.is_paid() => (State::Paid, None),
        // What is over stays over, until money comes.
        _ if !payment.state.is_open() => (payment.state, payment.why.clone()),
        Standing::Failed(why) => (State::Failed, Some(why.clone())),
        Standing::Expired => (State::Expired, Some("it was not paid in time".to_owned())),
        _ => (State::Pending, None),
    };
    let said = if back == expected {
        REFUNDED
    } else if back.minor > 0 {
        PARTLY_REFUNDED
    } else {
        report.standing.rank().unwrap_or(0)
    };
    let over = !payment.state.is_open() && !paid;
    let decision = Decision {
        state,
        rank: payment.rank.max(said),
        arrives,
        late: payment.late || (arrives && (over || arrived > payment.expires_at)),
        why,
        refunded,
        disputed,
        transaction: report.transaction.clone().or_else(|| payment.transaction.clone()),
    };
    Ok((decision != as_it_is(payment)).then_some(decision))
}

/// The larger of two sums that only grow.
fn most(known: Money, said: Option<Money>) -> Result<Money, Guard> {
    match said {
        Some(said) if said.currency != known.currency => Err(Guard::TooMuchBack(said)),
        Some(said) if said.minor > known.minor => Ok(said),
        _ => Ok(known),
    }
}

/// The decision that would change nothing.
fn as_it_is(payment: &Payment) -> Decision {
    Decision {
        state: payment.state,
        rank: payment.rank,
        arrives: false,
        late: payment.late,
        why: payment.why.clone(),
        refunded: payment.refunded,
        disputed: payment.disputed,
        transaction: payment.transaction.clone(),
    }
}
