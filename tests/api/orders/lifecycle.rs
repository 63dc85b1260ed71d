//! The life of a subscription as its job carries it out: on a real ledger and in a real repository,
//! with a clock that is told the time.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::civil::date;
use jiff::tz::TimeZone;
use tenantry::history::record::TaskState;
use tenantry::jobs::Job;
use tenantry::jobs::Report;
use tenantry::jobs::Runner;
use tenantry::jobs::of_a_business;
use tokio::sync::watch;

use super::Shop;
use crate::edits::git;
use crate::jobs::Told;

const EMAIL: &str = "owner@example.com";
/// KiteClass BASIC for a month with taxes, in cents.
const MONTH: i64 = 10_890;

/// The job that lives the lives.
fn lifecycle() -> Job {
    of_a_business().into_iter().find(|job| job.name == "lifecycle").unwrap()
}

impl Shop {
    /// A customer who paid for 24 November up to, and without, 24 December, and has no more.
    pub(super) async fn with_a_month(&self) -> (String, String) {
        let (token, tenant) = self.newcomer(EMAIL).await;
        self.top_up(&tenant, "108.90 USD").await;
        let answer = self.order(&token, "kiteclass-basic", "lotus").await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        self.carry_out(&tenant).await;
        assert_eq!(self.wallet(&tenant, "USD").await, (0, 0));
        (token, tenant)
    }

    /// It is noon of this day in Vietnam.
    pub(super) fn noon(&self, day: Date) {
        let noon = day.at(12, 0, 0, 0).to_zoned(TimeZone::get("Asia/Ho_Chi_Minh").unwrap());
        *self.portal.clock.lock().unwrap() = noon.unwrap().timestamp();
    }

    pub(super) async fn runner(&self, job: Job) -> Runner {
        Runner {
            name: job.name.to_owned(),
            jobs: [job].into(),
            accounts: self.portal.api.accounts().clone(),
            payments: self.portal.api.payments().clone(),
            meter: None,
            surveyor: None,
            taken: watch::channel(Some(self.take().await)).1,
            clock: Arc::new(Told(Arc::clone(&self.portal.clock))),
        }
    }

    /// The job runs, and what it committed is brought about.
    pub(super) async fn live(&self, tenant: &str) -> Report {
        let report = self.runner(lifecycle()).await.by_hand("lifecycle").await.unwrap();
        self.carry_out(tenant).await;
        report
    }

    /// Mails that were asked for are sent.
    pub(super) async fn send_mails(&self) {
        let now: Timestamp = self.now();
        sqlx::query("update outbox set done_at = $1 where kind = 'mail' and done_at is null")
            .bind(jiff_sqlx::ToSqlx::to_sqlx(now))
            .execute(&self.portal.pool)
            .await
            .unwrap();
    }

    /// The customer ends their school: `now`, or at the `end` of what is paid for.
    async fn cancel(&self, tenant: &str, when: &str) {
        let path = format!("/subscriptions/{tenant}.kiteclass");
        let token = self.portal.log_in(EMAIL).await.access;
        let etag = self.etag(&path, &token).await;
        let headers = [("if-match", etag.as_str())];
        let path = format!("{path}?when={when}");
        let answer = self.portal.client.send("DELETE", &path, &token, None, &headers).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        self.carry_out(tenant).await;
    }

    fn document(&self, tenant: &str) -> String {
        self.repository.read(&format!("tenants/{tenant}/kiteclass.yaml"))
    }

    async fn mails_so_far(&self) -> Vec<(String, i64)> {
        let mut sent = Vec::new();
        for template in ["invoice", "renews", "expiring", "expired", "suspended", "ended"] {
            match self.portal.mails(template, EMAIL).await {
                0 => {}
                count => sent.push((template.to_owned(), count)),
            }
        }
        sent
    }

    async fn open_payment(&self, tenant: &str, open: bool) {
        let id = uuid::Uuid::from_u128(77);
        sqlx::query(
            "insert into payment (id, customer, provider, currency, amount, state, created_at, payable_until, expires_at)
             values ($1, $2, 'manual', 'USD', 10890, 'pending', now(), now(), now())
             on conflict (id) do update set state = $3",
        )
        .bind(id)
        .bind(tenant)
        .bind(if open { "pending" } else { "expired" })
        .execute(&self.portal.pool)
        .await
        .unwrap();
    }
}

fn mails(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    expected.iter().map(|(template, count)| ((*template).to_owned(), *count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_renews_from_the_wallet_on_the_last_day_and_its_document_says_so() {
    let Some(shop) = Shop::open().await else { return };
    let (_, tenant) = shop.with_a_month().await;
    shop.top_up(&tenant, "200.00 USD").await;
    shop.noon(date(2026, 12, 10));
    shop.live(&tenant).await;
    assert_eq!(shop.count("select count(*) from invoice").await, 1, "in the middle of its month");
    shop.noon(date(2026, 12, 17));
    shop.live(&tenant).await;
    assert_eq!(shop.count("select count(*) from invoice").await, 2);
    assert_eq!(shop.wallet(&tenant, "USD").await, (20_000, 0));
    // That of the first month is told by the order.
    assert_eq!(shop.mails_so_far().await, mails(&[("invoice", 2), ("renews", 1)]));

    shop.noon(date(2026, 12, 23));
    let before = shop.repository.head();
    shop.live(&tenant).await;
    assert_eq!(shop.wallet(&tenant, "USD").await, (20_000 - MONTH, 0));
    let written = shop.document(&tenant);
    assert!(written.contains("paidThrough: 2027-01-23"), "{written}");
    let log = ["log", "--format=%an|%s|%(trailers:key=Actor)", &format!("{before}..")];
    let said = git(&shop.repository.git_folder(), &log).unwrap();
    assert_eq!(
        said.trim(),
        format!("Tenantry|{tenant}: kiteclass runs through 2027-01-23|Actor: system")
    );

    let head = shop.repository.head();
    for day in [date(2026, 12, 23), date(2026, 12, 24), date(2026, 12, 28)] {
        shop.noon(day);
        shop.live(&tenant).await;
    }
    assert_eq!(shop.repository.head(), head, "run again, nothing happens twice");
    assert_eq!(shop.wallet(&tenant, "USD").await, (20_000 - MONTH, 0));
    assert_eq!(shop.count("select count(*) from invoice where paid_at is null").await, 0);
    shop.books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_money_it_is_invoiced_reminded_suspended_and_runs_again_once_paid() {
    let Some(shop) = Shop::open().await else { return };
    let (_, tenant) = shop.with_a_month().await;
    let held = |document: &str| document.contains("overdue");
    let mut day = date(2026, 12, 15);
    let mut told = Vec::new();
    while day <= date(2027, 1, 22) {
        shop.noon(day);
        for _ in 0..2 {
            shop.live(&tenant).await;
            shop.send_mails().await;
        }
        let suspended = held(&shop.document(&tenant));
        assert_eq!(suspended, day >= date(2026, 12, 24), "{day}");
        let now = shop.mails_so_far().await;
        if told.last().is_none_or(|(_, last)| *last != now) {
            told.push((day, now));
        }
        day = day.tomorrow().unwrap();
    }
    let days: Vec<Date> = told.iter().map(|(day, _)| *day).collect();
    // The seventh, third and last day before the end, the end itself, and those after it.
    let expected = [
        date(2026, 12, 15),
        date(2026, 12, 17),
        date(2026, 12, 21),
        date(2026, 12, 23),
        date(2026, 12, 24),
        date(2026, 12, 25),
        date(2026, 12, 31),
        date(2027, 1, 14),
        date(2027, 1, 20),
        date(2027, 1, 22),
    ];
    assert_eq!(days, expected, "{told:?}");
    let last = &told.last().unwrap().1;
    assert_eq!(*last, mails(&[("invoice", 2), ("expiring", 3), ("expired", 1), ("suspended", 5)]));
    let log = git(&shop.repository.git_folder(), &["log", "--format=%s"]).unwrap();
    assert_eq!(log.matches("hold kiteclass").count(), 1, "{log}");

    // What did not run is not charged: from today up to the next day of the anchor.
    shop.top_up(&tenant, "200.00 USD").await;
    shop.live(&tenant).await;
    let document = shop.document(&tenant);
    assert!(!held(&document), "{document}");
    assert!(document.contains("paidThrough: 2027-02-23"), "{document}");
    let (left, _) = shop.wallet(&tenant, "USD").await;
    assert!(left < 20_000 - MONTH && left > 20_000 - MONTH - MONTH / 8, "{left}");
    let head = shop.repository.head();
    shop.live(&tenant).await;
    assert_eq!((shop.repository.head(), shop.wallet(&tenant, "USD").await.0), (head, left));
    shop.books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_suspended_before_the_invoice_arrived_or_while_a_payment_is_under_way() {
    let Some(shop) = Shop::open().await else { return };
    let (_, tenant) = shop.with_a_month().await;
    let held = async || shop.document(&tenant).contains("overdue");
    for day in [date(2026, 12, 17), date(2026, 12, 23), date(2026, 12, 24)] {
        shop.noon(day);
        shop.live(&tenant).await;
    }
    assert!(!held().await, "no mail was sent yet");
    let document = shop.document(&tenant);
    assert!(document.contains("paidThrough: 2026-12-25"), "the clock is kept from it: {document}");
    shop.send_mails().await;
    shop.open_payment(&tenant, true).await;
    shop.noon(date(2026, 12, 25));
    shop.live(&tenant).await;
    assert!(!held().await, "a payment is under way");
    shop.open_payment(&tenant, false).await;
    shop.noon(date(2026, 12, 26));
    shop.live(&tenant).await;
    assert!(held().await);
    shop.books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_carry_out_the_same_at_once_do_it_once() {
    let Some(shop) = Shop::open().await else { return };
    let (_, tenant) = shop.with_a_month().await;
    shop.top_up(&tenant, "200.00 USD").await;
    shop.noon(date(2026, 12, 23));
    // Under other names their leases do not know of each other.
    let names = ["one", "two", "three"];
    let mut runners = Vec::new();
    for name in names {
        let mut job = lifecycle();
        job.name = name;
        runners.push(shop.runner(job).await);
    }
    let runs = runners.iter().zip(names).map(|(runner, name)| runner.by_hand(name));
    for report in futures_util::future::join_all(runs).await {
        assert_eq!(report.unwrap().findings, [""; 0]);
    }
    shop.carry_out(&tenant).await;
    assert_eq!(shop.wallet(&tenant, "USD").await, (20_000 - MONTH, 0));
    let log = git(&shop.repository.git_folder(), &["log", "--format=%s"]).unwrap();
    assert_eq!(log.matches("runs through 2027-01-23").count(), 1, "{log}");
    assert_eq!(shop.portal.mails("invoice", EMAIL).await, 2);
    shop.books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_any_two_effects_it_goes_on_where_it_was() {
    let Some(shop) = Shop::open().await else { return };
    let (_, tenant) = shop.with_a_month().await;
    shop.top_up(&tenant, "200.00 USD").await;
    shop.noon(date(2026, 12, 23));
    let done = "select count(*) from lifecycle_effect";
    let (mut partly, mut killed) = (0, 0);
    for wait in 1..200 {
        let runner = shop.runner(lifecycle()).await;
        let running = tokio::spawn(async move { runner.by_hand("lifecycle").await });
        tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
        if running.is_finished() {
            running.await.unwrap().unwrap();
            break;
        }
        running.abort();
        drop(running.await);
        killed += 1;
        partly += i64::from((1..4).contains(&shop.count(done).await));
        // Its lease ends.
        shop.portal.wait(jiff::SignedDuration::from_secs(61));
    }
    shop.live(&tenant).await;
    assert!(killed > 0 && partly > 0, "killed {killed} times, {partly} between two effects");
    assert_eq!(shop.wallet(&tenant, "USD").await, (20_000 - MONTH, 0));
    assert!(shop.document(&tenant).contains("paidThrough: 2027-01-23"));
    assert_eq!(shop.count("select count(*) from invoice").await, 2);
    assert_eq!(
        shop.count("select count(*) from subscription_term where paid_by is not null").await,
        2
    );
    shop.books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn days_that_a_person_wrote_into_a_document_are_given_and_not_charged() {
    let Some(shop) = Shop::open().await else { return };
    let (_, tenant) = shop.with_a_month().await;
    let path = format!("tenants/{tenant}/kiteclass.yaml");
    let given = shop.document(&tenant).replace("2026-12-23", "2027-03-23");
    shop.repository.write(&path, given).commit("a quarter more, with our thanks");
    shop.noon(date(2026, 12, 24));
    shop.live(&tenant).await;
    assert_eq!(shop.count("select count(*) from invoice").await, 1);
    shop.noon(date(2027, 3, 17));
    shop.live(&tenant).await;
    assert_eq!(shop.count("select count(*) from invoice").await, 2);
    let starts = "select count(*) from invoice where period_start = '2027-03-24'";
    assert_eq!(shop.count(starts).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_costs_nothing_goes_on_by_itself() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.newcomer(EMAIL).await;
    shop.order(&token, "n8n", "free-n8n").await;
    shop.carry_out(&tenant).await;
    shop.noon(date(2026, 12, 17));
    shop.live(&tenant).await;
    let grep = ["grep", "-h", "paidThrough", "main", "--", &format!("tenants/{tenant}")];
    let document = git(&shop.repository.git_folder(), &grep).unwrap();
    assert!(document.contains("paidThrough: 2027-01-2"), "{document}");
    assert_eq!(shop.mails_so_far().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cancelled_is_neither_invoiced_nor_renewed_and_what_is_removed_is_told_once() {
    let Some(shop) = Shop::open().await else { return };
    let (_, tenant) = shop.with_a_month().await;
    shop.top_up(&tenant, "200.00 USD").await;
    shop.cancel(&tenant, "end").await;
    for day in [date(2026, 12, 17), date(2026, 12, 23), date(2026, 12, 24)] {
        shop.noon(day);
        shop.live(&tenant).await;
    }
    assert_eq!(shop.count("select count(*) from invoice").await, 1);
    assert!(shop.document(&tenant).contains("cancelAtPeriodEnd: true"));
    assert!(shop.document(&tenant).contains("paidThrough: 2026-12-23"), "the clock ends it");
    shop.cancel(&tenant, "now").await;
    shop.end_tasks(&tenant, TaskState::Done, "final.dump").await;
    shop.carry_out(&tenant).await;
    for _ in 0..2 {
        let report = shop.live(&tenant).await;
        assert!(report.findings.iter().all(|finding| !finding.contains(&tenant)), "{report:?}");
    }
    assert_eq!(shop.portal.mails("ended", EMAIL).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_of_what_ended_goes_by_one_commit_when_it_was_kept_long_enough() {
    let Some(shop) = Shop::open().await else { return };
    let (_, tenant) = shop.with_a_month().await;
    shop.cancel(&tenant, "now").await;
    shop.end_tasks(&tenant, TaskState::Done, "final.dump").await;
    shop.carry_out(&tenant).await;
    let customer = || shop.repository.read(&format!("tenants/{tenant}/tenant.yaml"));
    let promised: String = sqlx::query_scalar(
        "select (max(purge_after) at time zone 'Asia/Ho_Chi_Minh')::date::text from subscription_term",
    )
    .fetch_one(&shop.portal.pool)
    .await
    .unwrap();
    let promised: Date = promised.parse().unwrap();
    assert!(promised > date(2027, 3, 1), "{promised}");
    shop.noon(promised.yesterday().unwrap());
    shop.live(&tenant).await;
    assert_eq!(shop.portal.mails("ended", EMAIL).await, 1);
    assert!(!customer().contains("purged"), "it was promised to be kept");

    shop.noon(promised);
    let before = shop.repository.head();
    let runner = shop.runner(lifecycle()).await;
    for _ in 0..2 {
        runner.by_hand("lifecycle").await.unwrap();
    }
    assert_eq!(shop.portal.mails("purged", EMAIL).await, 0, "it is not told before it is so");
    shop.carry_out(&tenant).await;
    shop.live(&tenant).await;
    assert!(customer().contains("  purged: [kiteclass]\n"), "{}", customer());
    let log = ["log", "--format=%s", &format!("{before}..")];
    let log = git(&shop.repository.git_folder(), &log).unwrap();
    assert_eq!(log.matches("keep nothing of kiteclass any longer").count(), 1, "{log}");
    assert_eq!(shop.portal.mails("purged", EMAIL).await, 1);
    let remembered = "select count(*) from operation where kind = 'purge' and state = 'succeeded'
         and message = 'all that was kept of kiteclass is deleted, its last backup final.dump included'";
    assert_eq!(shop.count(remembered).await, 1);

    // Whoever comes back under the same name has what is kept of it from then on.
    let token = shop.portal.log_in(EMAIL).await.access;
    shop.top_up(&tenant, "108.90 USD").await;
    let answer = shop.order(&token, "kiteclass-basic", "lotus").await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    shop.carry_out(&tenant).await;
    assert!(!customer().contains("purged"), "{}", customer());
    shop.books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_may_be_deleted_nothing_is_purged_and_somebody_is_told() {
    let Some(shop) = Shop::open().await else { return };
    let (_, tenant) = shop.with_a_month().await;
    shop.cancel(&tenant, "now").await;
    shop.end_tasks(&tenant, TaskState::Done, "final.dump").await;
    shop.carry_out(&tenant).await;
    let path = "platform.yaml";
    let frozen = shop.repository.read(path).replace("namespaces: 3", "namespaces: 0");
    assert!(frozen.contains("namespaces: 0"), "{frozen}");
    shop.repository.write(path, frozen).commit("nothing is deleted for now");
    shop.noon(date(2028, 1, 1));
    let report = shop.live(&tenant).await;
    let told = report.findings.iter().any(|finding| finding.contains("deletions.limit.namespaces"));
    assert!(told, "{report:?}");
    assert_eq!(shop.count("select count(*) from operation where kind = 'purge'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_delivered_is_earned_by_the_next_night() {
    let Some(shop) = Shop::open().await else { return };
    shop.with_a_month().await;
    shop.noon(date(2026, 11, 27));
    let job = of_a_business().into_iter().find(|job| job.name == "recognise-revenue").unwrap();
    let runner = shop.runner(job).await;
    for summary in ["9.90 USD", "nothing"] {
        let report = runner.by_hand("recognise-revenue").await.unwrap();
        // Three of thirty days of 99 USD.
        assert!(
            report.summary.starts_with(&format!("{summary} earned up to 2026-11-26")),
            "{report:?}"
        );
        assert_eq!(report.findings, [""; 0]);
    }
    shop.books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_failed_is_tried_again_an_hour_later_if_it_is_still_due() {
    let Some(shop) = Shop::open().await else { return };
    let (_, tenant) = shop.with_a_month().await;
    shop.top_up(&tenant, "200.00 USD").await;
    shop.noon(date(2026, 12, 23));
    let runner = shop.runner(lifecycle()).await;
    runner.by_hand("lifecycle").await.unwrap();
    // As where the repository was broken by somebody, and validation refused the commit.
    for statement in [
        "update operation set state = 'failed', ended_at = updated_at where kind = 'extend'",
        "delete from outbox where kind = 'commit' and done_at is null",
    ] {
        sqlx::query(statement).execute(&shop.portal.pool).await.unwrap();
    }
    let report = shop.live(&tenant).await;
    assert!(
        report.findings.iter().any(|finding| finding.contains("was not brought about")),
        "{report:?}"
    );
    assert!(shop.document(&tenant).contains("paidThrough: 2026-12-23"), "not at once");
    shop.portal.wait(jiff::SignedDuration::from_mins(61));
    shop.live(&tenant).await;
    assert!(shop.document(&tenant).contains("paidThrough: 2027-01-23"));
    assert_eq!(shop.count("select max(attempts)::bigint from lifecycle_effect").await, 2);
    assert_eq!(shop.wallet(&tenant, "USD").await, (20_000 - MONTH, 0), "it is paid once");
}
