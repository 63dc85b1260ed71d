//! What is due on which day, each rule by itself; ten years of it are in `tests/billing`.

use jiff::civil::Date;
use jiff::civil::date;
use jiff::tz::TimeZone;
use uuid::Uuid;

use super::*;
use crate::billing::calendar::Anchor;
use crate::billing::calendar::Period;
use crate::billing::calendar::Stretch;
use crate::billing::calendar::start_of_day;
use crate::model::SubscriptionId;
use crate::model::money::Money;
use crate::model::platform::Lifecycle;
use crate::model::zone::zone;

const INVOICE: Uuid = Uuid::from_u128(7);

fn dong(minor: i64) -> Money {
    Money::new(minor, "VND".parse().unwrap())
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of a price that may be missing")]
fn total(_: &Stretch) -> Option<Money> {
    Some(dong(100))
}

/// A subscription that is paid up to 1 March, in Vietnam, with its facts to change.
struct Life {
    subscription: SubscriptionId,
    zone: TimeZone,
    anchor: Anchor,
    lifecycle: Lifecycle,
    change: fn(&mut Facts<'_>),
}

impl Life {
    fn with(change: fn(&mut Facts<'_>)) -> Self {
        Self {
            subscription: "acme/school".parse().unwrap(),
            zone: zone("Asia/Ho_Chi_Minh").unwrap(),
            anchor: Anchor::new(date(2026, 1, 1), "1 month".parse().unwrap()).unwrap(),
            lifecycle: Lifecycle::default(),
            change,
        }
    }

    fn on(&self, day: Date) -> Vec<Due> {
        self.at(start_of_day(day, &self.zone).unwrap())
    }

    fn at(&self, now: Timestamp) -> Vec<Due> {
        let mut facts = Facts {
            subscription: &self.subscription,
            zone: &self.zone,
            anchor: &self.anchor,
            lifecycle: &self.lifecycle,
            paid_until: Some(date(2026, 3, 1)),
            written_through: Some(date(2026, 2, 28)),
            overdue_since: None,
            trial: false,
            renews: true,
            renewal_wanted: false,
            cancelled: None,
            change: None,
            wallet: dong(0),
            payment_in_flight: false,
            gateway_asked: true,
            invoice: Some(OpenInvoice {
                id: INVOICE,
                start: date(2026, 3, 1),
                total: dong(100),
                delivered: true,
            }),
            exempt: false,
            final_backup: FinalBackup::Missing,
            removal: None,
            total: &total,
        };
        (self.change)(&mut facts);
        due(&facts, now).unwrap()
    }

    fn keys(&self, day: Date) -> Vec<String> {
        self.on(day).iter().map(|due| due.key.to_string()).collect()
    }
}

#[test]
fn nothing_is_due_in_the_middle_of_a_term() {
    assert_eq!(Life::with(|_| ()).on(date(2026, 2, 10)), []);
}

#[test]
fn the_invoice_is_made_a_week_before_and_delivered() {
    let without = Life::with(|facts| facts.invoice = None);
    assert_eq!(without.keys(date(2026, 2, 21)), [""; 0]);
    assert_eq!(
        without.keys(date(2026, 2, 22)),
        ["invoice:acme/school:2026-03-01", "mail:acme/school:2026-03-01:expiring:-7"]
    );
    let undelivered = Life::with(|facts| facts.invoice.as_mut().unwrap().delivered = false);
    assert!(undelivered.keys(date(2026, 2, 22)).contains(&format!("mail:{INVOICE}:invoice:0")));
}

#[test]
fn each_day_of_the_calendar_of_reminders_has_its_mail_and_missed_ones_are_not_sent_late() {
    let active = Life::with(|_| ());
    for (day, mail) in
        [(22, "expiring:-7"), (25, "expiring:-7"), (26, "expiring:-3"), (28, "expiring:-1")]
    {
        let keys = active.keys(date(2026, 2, day));
        assert_eq!(keys, [format!("mail:acme/school:2026-03-01:{mail}")], "{day} February");
    }
    let suspended = Life::with(|facts| facts.overdue_since = Some(date(2026, 3, 1)));
    for (day, mail) in [
        (1, "expired:0"),
        (2, "suspended:1"),
        (8, "suspended:7"),
        (22, "suspended:21"),
        (28, "suspended:27"),
        (30, "suspended:29"),
    ] {
        let keys = suspended.keys(date(2026, 3, day));
        assert_eq!(keys, [format!("mail:acme/school:2026-03-01:{mail}")], "{day} March");
    }
}

#[test]
fn the_wallet_renews_on_the_last_day_so_that_nothing_stops_at_midnight() {
    let rich = Life::with(|facts| facts.wallet = dong(100));
    assert_eq!(rich.keys(date(2026, 2, 22)), ["mail:acme/school:2026-03-01:renews:-7"]);
    assert_eq!(rich.keys(date(2026, 2, 27)), [""; 0]);
    let due = rich.on(date(2026, 2, 28));
    assert_eq!(due.len(), 1, "{due:?}");
    assert_eq!(due[0].key.as_str(), "renew:acme/school:2026-03-01");
    assert_eq!(due[0].effect, Effect::Renew { invoice: INVOICE });
    let by_hand = Life::with(|facts| {
        facts.wallet = dong(100);
        facts.renews = false;
    });
    assert!(
        !by_hand.on(date(2026, 2, 28)).iter().any(|due| matches!(due.effect, Effect::Renew { .. }))
    );
    let wanted = Life::with(|facts| {
        facts.wallet = dong(100);
        facts.renews = false;
        facts.renewal_wanted = true;
    });
    assert_eq!(wanted.keys(date(2026, 2, 10)), ["renew:acme/school:2026-03-01"]);
}

#[test]
fn without_an_invoice_nobody_is_suspended() {
    for change in [
        (|facts: &mut Facts<'_>| facts.invoice = None) as fn(&mut Facts<'_>),
        |facts| facts.invoice.as_mut().unwrap().delivered = false,
        |facts| facts.payment_in_flight = true,
        |facts| facts.gateway_asked = false,
        |facts| facts.exempt = true,
    ] {
        let life = Life::with(change);
        for (today, through) in
            [(date(2026, 2, 28), date(2026, 3, 1)), (date(2026, 3, 1), date(2026, 3, 2))]
        {
            let due = life.on(today);
            assert!(
                due.iter().any(|due| due.effect == Effect::WriteCourtesy { through }),
                "the clock is kept from suspending: {due:?}"
            );
            assert!(!due.iter().any(|due| matches!(due.effect, Effect::Suspend { .. })), "{due:?}");
        }
    }
}

#[test]
fn who_was_asked_and_did_not_pay_is_suspended_on_the_day_of_expiry() {
    let life = Life::with(|_| ());
    assert_eq!(
        life.keys(date(2026, 3, 1)),
        [
            "mail:acme/school:2026-03-01:expired:0".to_owned(),
            format!("suspend:acme/school:{INVOICE}")
        ]
    );
    let last_second = start_of_day(date(2026, 3, 1), &life.zone).unwrap();
    let before = last_second - jiff::SignedDuration::from_secs(1);
    assert!(!life.at(before).iter().any(|due| matches!(due.effect, Effect::Suspend { .. })));
}

#[test]
fn after_a_suspension_the_rest_of_the_period_is_sold_from_today_and_paying_lifts_it() {
    let life = Life::with(|facts| {
        facts.overdue_since = Some(date(2026, 3, 1));
        facts.wallet = dong(100);
    });
    let due = life.on(date(2026, 3, 11));
    assert_eq!(due[0].key.as_str(), "renew:acme/school:2026-03-11");
    let Effect::RenewFromToday { stretch, instead_of } = due[0].effect else {
        panic!("{due:?}");
    };
    assert_eq!(stretch.sold, Period { start: date(2026, 3, 11), end: date(2026, 4, 1) });
    assert_eq!(instead_of, Some(INVOICE));
    let paid = Life::with(|facts| {
        facts.overdue_since = Some(date(2026, 3, 1));
        facts.paid_until = Some(date(2026, 4, 1));
        facts.invoice = None;
    });
    assert_eq!(
        paid.keys(date(2026, 3, 11)),
        ["paid:acme/school:2026-03-31", "lift:acme/school:2026-04-01"]
    );
}

#[test]
fn when_grace_is_over_the_last_backup_is_verified_before_anything_is_removed() {
    let ending = |change: fn(&mut Facts<'_>)| Life::with(change).keys(date(2026, 3, 31));
    let backup = "final-backup:acme/school:2026-03-01".to_owned();
    let remove = "remove:acme/school:2026-03-01".to_owned();
    let keys = ending(|facts| facts.overdue_since = Some(date(2026, 3, 1)));
    assert!(keys.contains(&backup) && !keys.contains(&remove), "{keys:?}");
    let keys = ending(|facts| {
        facts.overdue_since = Some(date(2026, 3, 1));
        facts.final_backup = FinalBackup::Running;
    });
    assert!(!keys.contains(&backup) && !keys.contains(&remove), "{keys:?}");
    let keys = ending(|facts| {
        facts.overdue_since = Some(date(2026, 3, 1));
        facts.final_backup = FinalBackup::Verified;
    });
    assert!(keys.contains(&remove), "{keys:?}");
    for change in [
        (|facts: &mut Facts<'_>| facts.payment_in_flight = true) as fn(&mut Facts<'_>),
        |facts| facts.exempt = true,
        // It was suspended late, and has its whole grace all the same.
        |facts| facts.overdue_since = Some(date(2026, 3, 20)),
        |facts| facts.overdue_since = None,
    ] {
        let mut life = Life::with(|facts| facts.overdue_since = Some(date(2026, 3, 1)));
        life.change = change;
        let keys = life.keys(date(2026, 3, 31));
        assert!(!keys.contains(&backup) && !keys.contains(&remove), "{keys:?}");
    }
}

#[test]
fn a_cancelled_subscription_ends_without_invoice_or_reminders() {
    let at_end = Life::with(|facts| {
        facts.cancelled = Some(Cancellation::AtEnd);
        facts.invoice = None;
    });
    assert_eq!(at_end.on(date(2026, 2, 22)), []);
    assert_eq!(at_end.on(date(2026, 2, 28)), []);
    assert_eq!(at_end.keys(date(2026, 3, 1)), ["final-backup:acme/school:2026-03-01"]);
    let now = Life::with(|facts| {
        facts.cancelled = Some(Cancellation::Now);
        facts.final_backup = FinalBackup::Verified;
    });
    assert_eq!(now.keys(date(2026, 2, 10)), ["remove:acme/school:2026-03-01"]);
}

#[test]
fn what_is_kept_is_purged_after_retention_and_not_before() {
    let removed = Life::with(|facts| {
        let (on, retained_until) = (date(2026, 3, 31), date(2026, 6, 29));
        facts.removal = Some(Removal { on, retained_until });
    });
    let mail = "mail:acme/school:2026-03-31:ended:0".to_owned();
    assert_eq!(removed.keys(date(2026, 6, 28)), std::slice::from_ref(&mail));
    assert_eq!(removed.keys(date(2026, 6, 29)), [mail, "purge:acme/school:2026-03-31".to_owned()]);
}

#[test]
fn when_too_many_would_be_purged_at_once_none_is() {
    let limits = PurgeLimits { per_hour: 3, at_once: 5 };
    assert_eq!(purges_allowed(5, 100, 0, limits), 3);
    assert_eq!(purges_allowed(5, 100, 2, limits), 1);
    assert_eq!(purges_allowed(5, 100, 9, limits), 0);
    assert_eq!(purges_allowed(6, 100, 0, limits), 0);
    assert_eq!(purges_allowed(3, 10, 0, limits), 3, "a few are always few");
    assert_eq!(purges_allowed(1, 2, 0, PurgeLimits { per_hour: 0, ..limits }), 0, "frozen");
}

#[test]
fn a_trial_is_followed_by_the_first_period_and_says_that_it_ends() {
    let trial = Life::with(|facts| {
        facts.trial = true;
        facts.invoice = None;
    });
    assert_eq!(
        trial.keys(date(2026, 2, 26)),
        ["invoice:acme/school:2026-03-01", "mail:acme/school:2026-03-01:trial-ends:-3"]
    );
}

#[test]
fn a_waiting_change_is_committed_on_its_day() {
    let life = Life::with(|facts| {
        facts.paid_until = Some(date(2026, 4, 1));
        facts.written_through = Some(date(2026, 3, 31));
        facts.change = Some(WaitingChange { id: INVOICE, effective: date(2026, 3, 1) });
    });
    assert_eq!(life.on(date(2026, 2, 28)), []);
    assert_eq!(life.keys(date(2026, 3, 1)), [format!("change:acme/school:{INVOICE}")]);
}

#[test]
fn up_is_now_and_paid_first_and_down_waits() {
    assert_eq!(timing(dong(1), dong(2), false), Ok(Timing::Now));
    assert_eq!(timing(dong(2), dong(1), false), Ok(Timing::AtEnd));
    assert_eq!(timing(dong(1), dong(2), true), Err(ChangeRefused::RenewalUnpaid));
    assert!(timing(dong(1), "1 USD".parse().unwrap(), false).is_err());
}

#[test]
fn what_has_no_end_and_what_has_no_price_is_left_to_people() {
    let endless = Life::with(|facts| facts.paid_until = None);
    assert_eq!(endless.on(date(2030, 1, 1)), []);
    let agreed = Life::with(|facts| {
        facts.invoice = None;
        facts.total = &|_| None;
    });
    assert!(
        agreed.on(date(2026, 2, 25)).iter().all(|due| matches!(due.effect, Effect::Mail { .. }))
    );
}
