//! Ten years of a subscription on the real ledger, with a clock that is told the time: every end
//! of a month, leap years, zones with daylight saving, customers who pay in time, late, or through
//! a gateway that takes its time. Everything that is due is carried out, and asked for twice.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::civil::date;
use jiff::tz::TimeZone;
use sqlx::Connection as _;
use sqlx::PgConnection;
use tenantry::billing::OperationKey;
use tenantry::billing::calendar::Anchor;
use tenantry::billing::calendar::Period;
use tenantry::billing::calendar::Stretch;
use tenantry::billing::calendar::day_of;
use tenantry::billing::calendar::days_between;
use tenantry::billing::calendar::start_of_day;
use tenantry::billing::invoice;
use tenantry::billing::invoice::Draft;
use tenantry::billing::ledger;
use tenantry::billing::ledger::Booking;
use tenantry::billing::ledger::Customer;
use tenantry::billing::lifecycle::Due;
use tenantry::billing::lifecycle::Effect;
use tenantry::billing::lifecycle::Facts;
use tenantry::billing::lifecycle::FinalBackup;
use tenantry::billing::lifecycle::OpenInvoice;
use tenantry::billing::lifecycle::due;
use tenantry::billing::terms;
use tenantry::billing::terms::NewTerm;
use tenantry::billing::terms::Rules;
use tenantry::model::Phase;
use tenantry::model::Subscription;
use tenantry::model::SubscriptionId;
use tenantry::model::platform::Lifecycle;
use tenantry::model::zone::zone;

use super::Books;
use super::gateway;
use super::invoices::party;
use super::invoices::quote;

/// How a customer pays.
#[derive(Clone, Copy, Debug)]
enum Habit {
    /// Always enough in the wallet.
    Ahead,
    /// Every fifth month nine days late, when it is suspended.
    Late,
    /// On the last day, and the payment takes two days to arrive.
    SlowGateway,
}

/// What the world is, apart from the database: Git and the outbox.
struct World {
    subscription: SubscriptionId,
    customer: Customer,
    zone: TimeZone,
    anchor: Anchor,
    lifecycle: Lifecycle,
    habit: Habit,
    written_through: Date,
    overdue_since: Option<Date>,
    payment: Option<(Timestamp, OperationKey)>,
    /// The keys of everything that was carried out.
    done: BTreeSet<OperationKey>,
    mails: Vec<OperationKey>,
    /// Days on which it was suspended.
    suspended: BTreeSet<Date>,
    topped_up: i64,
}

impl World {
    async fn facts_and_due(&self, db: &mut PgConnection, now: Timestamp) -> (Date, Vec<Due>) {
        let last = terms::last(db, &self.subscription).await.unwrap().unwrap();
        let paid_until = last.period.end;
        let open = invoice::of_period(db, &self.subscription, paid_until).await.unwrap();
        let open = open.filter(invoice::Invoice::is_open);
        let currency = "VND".parse().unwrap();
        let wallet = ledger::wallet(db, &self.customer, currency).await.unwrap();
        let facts = Facts {
            subscription: &self.subscription,
            zone: &self.zone,
            anchor: &self.anchor,
            lifecycle: &self.lifecycle,
            paid_until: Some(paid_until),
            written_through: Some(self.written_through),
            overdue_since: self.overdue_since,
            trial: last.paid_by.is_none(),
            renews: true,
            renewal_wanted: false,
            cancelled: None,
            change: None,
            wallet: wallet.available,
            payment_in_flight: self.payment.is_some(),
            gateway_asked: true,
            invoice: open.map(|open| OpenInvoice {
                id: open.id,
                start: paid_until,
                total: open.total,
                delivered: open.delivered_at.is_some(),
            }),
            exempt: false,
            final_backup: FinalBackup::Missing,
            removal: None,
            total: &|stretch| Some(quote(stretch).total),
        };
        (paid_until, due(&facts, now).unwrap())
    }

    fn rules(&self) -> Rules<'_> {
        Rules { lifecycle: &self.lifecycle, zone: &self.zone }
    }

    async fn make_invoice(
        &self,
        db: &mut PgConnection,
        key: &OperationKey,
        stretch: &Stretch,
        now: Timestamp,
    ) -> uuid::Uuid {
        let draft = Draft {
            key,
            issuer: "KC",
            customer: &self.customer,
            subscription: Some(&self.subscription),
            seller: &party("Kite Ltd"),
            buyer: &party("Acme"),
            quote: &quote(stretch),
        };
        let draft = invoice::draft(db, draft, now).await.unwrap();
        invoice::finalise(db, draft.id, now, now).await.unwrap();
        draft.id
    }

    /// Carries out one effect, in one transaction, and remembers it.
    async fn carry_out(&mut self, db: &mut PgConnection, due: &Due, now: Timestamp) {
        let mut db = db.begin().await.unwrap();
        let today = day_of(now, &self.zone);
        match due.effect {
            Effect::MakeInvoice { stretch } => {
                self.make_invoice(&mut db, &due.key, &stretch, now).await;
            }
            Effect::Renew { invoice } => {
                let first = self.anchor.first();
                terms::renew(&mut db, invoice, first, self.rules(), now, "system").await.unwrap();
            }
            Effect::RenewFromToday { stretch, instead_of } => {
                if let Some(old) = instead_of {
                    invoice::undo(&mut db, old, now).await.unwrap();
                }
                let key = OperationKey::invoice(&self.subscription, stretch.sold.start);
                let new = self.make_invoice(&mut db, &key, &stretch, now).await;
                let first = self.anchor.first();
                terms::renew(&mut db, new, first, self.rules(), now, "system").await.unwrap();
            }
            Effect::WritePaidThrough { through } | Effect::WriteCourtesy { through } => {
                self.written_through = through;
            }
            Effect::LiftOverdue => self.overdue_since = None,
            Effect::Suspend { .. } => self.overdue_since = Some(today),
            Effect::Mail { template, about, .. } => {
                assert!(self.done.insert(due.key.clone()), "{} is sent once", due.key);
                self.mails.push(due.key.clone());
                if template == tenantry::billing::lifecycle::Template::Invoice {
                    invoice::mark_delivered(&mut db, about.unwrap(), now).await.unwrap();
                }
            }
            ref other => panic!("nobody ends here: {other:?}"),
        }
        self.done.insert(due.key.clone());
        db.commit().await.unwrap();
    }

    /// The customer's doings on a day.
    async fn customer(&mut self, db: &mut PgConnection, now: Timestamp, paid_until: Date) {
        let today = day_of(now, &self.zone);
        let days = days_between(paid_until, today);
        let month = paid_until.month() + i8::try_from(paid_until.year() % 5).unwrap();
        let pays = match self.habit {
            Habit::Ahead => days == -10,
            Habit::Late if month % 5 == 0 => days == 9,
            Habit::Late => days == -2,
            Habit::SlowGateway => days == -1 && self.payment.is_none(),
        };
        let key: OperationKey = format!("pay:{}:{paid_until}", self.customer).parse().unwrap();
        if let Some((arrives, key)) = self.payment.take_if(|(arrives, _)| *arrives <= now) {
            self.top_up(db, &key, arrives).await;
        } else if pays && matches!(self.habit, Habit::SlowGateway) {
            self.payment = Some((now + SignedDuration::from_hours(47), key));
        } else if pays {
            self.top_up(db, &key, now).await;
        }
    }

    async fn top_up(&mut self, db: &mut PgConnection, key: &OperationKey, at: Timestamp) {
        let amount = "110000 VND".parse().unwrap();
        let booking = Booking::by_system(key, at);
        let posted = ledger::top_up(db, booking, &self.customer, &gateway(), amount).await.unwrap();
        self.topped_up += if posted.repeated { 0 } else { amount.minor };
    }
}

async fn live(books: &Books, whose: &str, first: Date, zone_name: &str, habit: Habit) {
    let mut db = books.connect().await;
    let zone = zone(zone_name).unwrap();
    let anchor = Anchor::new(first, "1 month".parse().unwrap()).unwrap();
    let period = anchor.period(0).unwrap();
    let mut world = World {
        subscription: format!("{whose}/school").parse().unwrap(),
        customer: whose.parse().unwrap(),
        zone,
        anchor,
        lifecycle: Lifecycle::default(),
        habit,
        written_through: period.last_day(),
        overdue_since: None,
        payment: None,
        done: BTreeSet::new(),
        mails: Vec::new(),
        suspended: BTreeSet::new(),
        topped_up: 0,
    };
    // The first month is a gift, so that every charge is a renewal.
    let key = format!("gift:{whose}").parse().unwrap();
    let gift = NewTerm {
        key: &key,
        subscription: &world.subscription,
        period,
        anchor: first,
        invoice: None,
        paid_by: None,
    };
    let rules = Rules { lifecycle: &world.lifecycle, zone: &world.zone };
    let mut now = start_of_day(first, &world.zone).unwrap();
    terms::record(&mut db, gift, rules, now).await.unwrap();
    let end = first.year() + 10;
    while day_of(now, &world.zone).year() < end {
        let today = day_of(now, &world.zone);
        let (paid_until, mut all) = world.facts_and_due(&mut db, now).await;
        // Until nothing new is due; a repetition of what was done is not done again.
        for _ in 0..8 {
            all.retain(|due| !world.done.contains(&due.key));
            if all.is_empty() {
                break;
            }
            for due in &all {
                world.carry_out(&mut db, due, now).await;
            }
            all = world.facts_and_due(&mut db, now).await.1;
        }
        world.customer(&mut db, now, paid_until).await;
        let runs = phase(&world, now).runs() && world.overdue_since.is_none();
        if !runs {
            world.suspended.insert(today);
        }
        now = next_look(&world, now, paid_until);
    }
    settle(books, &mut db, &world, first).await;
}

/// What the document and the clock make of it.
fn phase(world: &World, now: Timestamp) -> Phase {
    let yaml = format!(
        "tenant: a\npackage: b\nstarts: {}\npaidThrough: {}\n",
        world.anchor.first(),
        world.written_through
    );
    let (documents, _) = tenantry::model::yaml::read(yaml.as_bytes());
    let subscription: Subscription = tenantry::model::typed::read(&documents[0]).unwrap();
    subscription.phase(&world.lifecycle, &world.zone, now).0
}

/// Every day from where something may be due, and twice a day around the end and the resumption.
fn next_look(world: &World, now: Timestamp, paid_until: Date) -> Timestamp {
    let today = day_of(now, &world.zone);
    let days = days_between(paid_until, today);
    let step = (-11 - days).max(1);
    let next = today.checked_add(jiff::Span::new().days(step)).unwrap();
    let midnight = start_of_day(next, &world.zone).unwrap();
    let evening = now + SignedDuration::from_hours(17);
    let morning = start_of_day(today, &world.zone).unwrap() == now;
    let close = (-2..=2).contains(&days) || (8..=10).contains(&days);
    if close && morning && evening < midnight { evening } else { midnight }
}

/// The account of ten years.
async fn settle(books: &Books, db: &mut PgConnection, world: &World, first: Date) {
    let rows: Vec<(jiff_sqlx::Date, jiff_sqlx::Date)> = sqlx::query_as(
        "select starts, ends from subscription_term where subscription = $1 order by starts",
    )
    .bind(world.subscription.to_string())
    .fetch_all(&mut *db)
    .await
    .unwrap();
    let sold: Vec<Period> = rows
        .into_iter()
        .map(|(start, end)| Period { start: start.to_jiff(), end: end.to_jiff() })
        .collect();
    assert!(sold.len() >= 60, "{:?}: {} terms", world.habit, sold.len());
    for pair in sold.windows(2) {
        let gap = days_between(pair[0].end, pair[1].start);
        assert!(gap >= 0, "no day is sold twice: {pair:?}");
        let mut day = pair[0].end;
        while day < pair[1].start {
            assert!(world.suspended.contains(&day), "{day} ran and was not paid for");
            day = day.tomorrow().unwrap();
        }
        let last = pair[1].end;
        let anchor_day = first.day().min(last.days_in_month());
        assert_eq!(last.day(), anchor_day, "every end is on the anchor's day");
    }
    for day in &world.suspended {
        let paid = sold.iter().any(|period| period.contains(*day));
        // The day on which a late customer pays is suspended in its morning.
        let resumed = sold.iter().any(|period| period.start == *day);
        assert!(!paid || resumed, "{:?}: {day} was paid for and did not run", world.habit);
    }
    let is_late = matches!(world.habit, Habit::Late);
    assert_eq!(!world.suspended.is_empty(), is_late, "{:?} {:?}", world.habit, world.suspended);
    let charges: Vec<i64> = sqlx::query_scalar(
        "select -amount from posting join account on account.id = account_id join ledger_transaction w on w.id = transaction_id
         where kind = 'customer_credit' and owner = $1 and w.reason = 'charge'",
    )
    .bind(world.customer.as_str())
    .fetch_all(&mut *db)
    .await
    .unwrap();
    assert_eq!(charges.len(), sold.len() - 1, "one charge for each term but the gift");
    let spent: i64 = charges.iter().sum();
    assert_eq!(books.available(world.customer.as_str(), "VND").await, world.topped_up - spent);
    let unique: BTreeSet<&OperationKey> = world.mails.iter().collect();
    assert_eq!(unique.len(), world.mails.len(), "one mail per fact");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_years_of_every_end_of_a_month_are_charged_once_and_without_a_gap() {
    let Some(books) = Books::open().await else { return };
    tokio::join!(
        live(&books, "ahead", date(2023, 12, 31), "Asia/Ho_Chi_Minh", Habit::Ahead),
        live(&books, "late", date(2024, 2, 29), "America/Santiago", Habit::Late),
        live(&books, "slow", date(2024, 3, 30), "Europe/Berlin", Habit::SlowGateway),
    );
    books.add_up().await;
}
