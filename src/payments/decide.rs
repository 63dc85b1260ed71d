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
pub(super) struct Decision {
    pub(super) state: State,
    pub(super) rank: i16,
    /// The money is there, for the first time.
    pub(super) arrives: bool,
    /// It came when it was not waited for any more.
    pub(super) late: bool,
    pub(super) why: Option<String>,
    /// What went back by refunds in all, and what banks took in all.
    pub(super) refunded: Money,
    pub(super) disputed: Money,
    pub(super) transaction: Option<String>,
}

/// Why what a provider says is not acted on; a person has to look at it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Guard {
    #[error("it says {said}, and {expected} were asked for: nothing was booked, look there")]
    Amount { said: Money, expected: Money },
    #[error("more is said to have gone back than was paid ({0}): look there")]
    TooMuchBack(Money),
    #[error("{0} are said to have gone back of what never was paid: look there")]
    NothingToGoBack(Money),
}

/// What to do; nothing where it says nothing new. `arrived` is when we were told.
pub(super) fn decide(
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
    let decision = Decision {
        state,
        rank: payment.rank.max(said),
        arrives,
        late: payment.late || (arrives && arrived > payment.expires_at),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn payment() -> Payment {
        let row = json!({
            "id": Uuid::from_u128(7), "customer": "acme", "provider": "stripe", "currency": "VND",
            "amount": 1000, "order_id": null, "state": "pending", "rank": 0, "late": false,
            "return_url": null, "redirect_url": null, "session": null, "transaction": null,
            "refunded": 0, "disputed": 0, "created_at": "2026-01-01T00:00:00Z",
            "payable_until": "2026-01-01T12:00:00Z", "expires_at": "2026-01-01T12:30:00Z",
            "paid_at": null, "why": null, "asked": 0, "evidence": null, "recorded_by": null,
        });
        serde_json::from_value(row).unwrap()
    }

    fn dong(amount: i64) -> Money {
        Money::new(amount, "VND".parse().unwrap())
    }

    fn says(standing: Standing) -> Report {
        Report::of(Uuid::from_u128(7), standing, dong(1000))
    }

    fn back(refunded: i64, disputed: i64) -> Report {
        let (refunded, disputed) = (Some(dong(refunded)), Some(dong(disputed)));
        Report { refunded, disputed, ..says(Standing::Settled) }
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Lets a decision be, and says whether money arrived.
    fn follow(payment: &mut Payment, decision: Decision) -> bool {
        payment.state = decision.state;
        payment.rank = decision.rank;
        payment.late = decision.late;
        payment.why = decision.why;
        payment.refunded = decision.refunded;
        payment.disputed = decision.disputed;
        decision.arrives
    }

    fn in_time() -> Timestamp {
        time("2026-01-01T01:00:00Z")
    }

    #[test]
    fn money_that_comes_after_the_end_is_late_and_not_lost() {
        for (arrived, late) in [("2026-01-01T12:30:00Z", false), ("2026-01-01T12:30:01Z", true)] {
            for state in [State::Pending, State::Failed, State::Expired] {
                let payment = Payment { state, ..payment() };
                let decided = decide(&payment, &says(Standing::Settled), time(arrived));
                let decision = decided.unwrap().unwrap();
                assert_eq!((decision.arrives, decision.late), (true, late), "{state:?} {arrived}");
            }
        }
    }

    #[test]
    fn another_amount_or_currency_is_refused_whatever_is_said() {
        for other in [dong(999), dong(1001), dong(0), Money::new(1000, "JPY".parse().unwrap())] {
            for standing in [Standing::Settled, Standing::Pending, Standing::Expired] {
                let report = Report { amount: Some(other), ..says(standing) };
                assert!(matches!(
                    decide(&payment(), &report, in_time()),
                    Err(Guard::Amount { .. })
                ));
            }
        }
        let too_much = decide(&payment(), &back(600, 500), in_time());
        assert!(matches!(too_much, Err(Guard::TooMuchBack(_))));
        let report = Report { standing: Standing::Pending, ..back(1, 0) };
        let never_paid = decide(&payment(), &report, in_time());
        assert!(matches!(never_paid, Err(Guard::NothingToGoBack(_))));
    }

    #[test]
    fn what_is_cancelled_after_it_was_captured_went_back() {
        let mut payment = payment();
        let captured = decide(&payment, &says(Standing::Captured), in_time()).unwrap().unwrap();
        assert!(follow(&mut payment, captured));
        let cancelled = says(Standing::Failed("cancel".into()));
        let decision = decide(&payment, &cancelled, in_time()).unwrap().unwrap();
        assert_eq!(decision.refunded, dong(1000));
        follow(&mut payment, decision);
        assert_eq!(decide(&payment, &cancelled, in_time()), Ok(None));
        // Once it settled, a cancellation is an old story.
        payment = Payment { rank: 3, state: State::Paid, ..self::payment() };
        assert_eq!(decide(&payment, &cancelled, in_time()), Ok(None));
    }

    proptest! {
        /// Whatever the order and however often: the money arrives once, and as much went back.
        #[test]
        fn any_sequence_of_genuine_reports_comes_to_the_same_end(
            order in Just((0..8).collect::<Vec<usize>>()).prop_shuffle(),
            again in proptest::collection::vec((0_usize..8, 0_usize..20), 0..20),
        ) {
            let reports = [
                says(Standing::Pending), says(Standing::Authorised), says(Standing::Settled),
                says(Standing::Failed("async".into())), says(Standing::Expired),
                back(100, 0), back(300, 0), back(300, 200),
            ];
            let mut sequence = order;
            for (which, place) in again {
                sequence.insert(place.min(sequence.len()), which);
            }
            let mut payment = payment();
            let mut arrivals = 0;
            for which in sequence {
                if let Some(decision) = decide(&payment, &reports[which], in_time()).unwrap() {
                    prop_assert!(decision.rank >= payment.rank);
                    arrivals += usize::from(follow(&mut payment, decision));
                }
            }
            prop_assert_eq!(arrivals, 1);
            prop_assert_eq!((payment.state, payment.late, payment.rank), (State::Paid, false, 4));
            prop_assert_eq!((payment.refunded, payment.disputed), (dong(300), dong(200)));
        }
    }
}
