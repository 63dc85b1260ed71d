//! Who measures, who is told of limits, and how often.

use std::sync::Arc;
use std::sync::Mutex;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::PgPool;
use tenantry::accounts::Accounts;
use tenantry::accounts::Role;
use tenantry::accounts::keys::KeySource;
use tenantry::jobs::Report;
use tenantry::jobs::Runner;
use tenantry::jobs::of_a_business;
use tenantry::model::Secret;
use tenantry::operations::follow::Taken;
use tenantry::payments::Payments;
use tenantry::postgres::Database;
use tenantry::postgres::Settings;
use tenantry::usage::Measure;
use tenantry::usage::Measured;
use tenantry::usage::Meter;
use tenantry::usage::Reading;
use tenantry::usage::limits::Standing;
use tenantry::usage::standing::standings;
use tokio::sync::watch;

use super::at;
use super::id;
use crate::jobs::Told;
use crate::support::example;
use crate::support::mail;
use crate::support::postgres::database;

/// A meter that says what it is told to.
#[derive(Debug, Default)]
struct Scripted(Mutex<Measured>);

impl Meter for Scripted {
    fn measure(&self) -> BoxFuture<'_, Measured> {
        let measured = self.0.lock().unwrap().clone();
        async move { measured }.boxed()
    }
}

/// A business whose usage is measured by script. `acme/school` may use 8 cores at most.
struct Business {
    pool: PgPool,
    meter: Arc<Scripted>,
    clock: Told,
    runner: Runner,
}

impl Business {
    async fn open() -> Option<Self> {
        let database = Database::start(Settings::of(&database().await?)).unwrap();
        database.usable().await;
        let pool = database.pool().clone();
        let accounts = Accounts::over(database.clone(), KeySource::Database);
        let clock = Told(Arc::new(Mutex::new(at("2026-11-27T09:00:00Z"))));
        let password = Secret::new("four words in a row");
        let now = *clock.0.lock().unwrap();
        let operator = "ops@operator.example";
        accounts.create_staff(operator, "Grace", &password, Role::Operator, now).await.unwrap();
        let customer = "owner@acme.example";
        accounts.create_staff(customer, "Ada", &password, Role::Operator, now).await.unwrap();
        sqlx::query("update user_account set role = 'customer', tenant = 'acme' where email = $1")
            .bind(customer)
            .execute(&pool)
            .await
            .unwrap();
        let snapshot = example::snapshot();
        let configuration = Arc::new(example::configuration(&snapshot));
        let taken = Some(Taken { commit: snapshot.commit, configuration });
        let meter = Arc::new(Scripted::default());
        let runner = Runner {
            jobs: of_a_business().into(),
            name: "daemon".to_owned(),
            accounts,
            payments: Payments::by_hand(database),
            meter: Some(Arc::clone(&meter) as Arc<dyn Meter>),
            surveyor: None,
            taken: watch::channel(taken).1,
            clock: Arc::new(clock.clone()),
        };
        Some(Self { pool, meter, clock, runner })
    }

    fn now(&self) -> Timestamp {
        *self.clock.0.lock().unwrap()
    }

    fn says(&self, readings: &[Reading], troubles: &[&str]) {
        let troubles = troubles.iter().map(|&trouble| trouble.to_owned()).collect();
        *self.meter.0.lock().unwrap() = Measured { readings: readings.to_vec(), troubles };
    }

    async fn run(&self, job: &str) -> Report {
        self.runner.by_hand(job).await.unwrap()
    }

    /// Goes by so much of CPU for two hours.
    async fn uses(&self, cpu: i64) {
        self.says(&[reading("acme/school", Some(cpu), None)], &[]);
        for _ in 0..24 {
            *self.clock.0.lock().unwrap() += SignedDuration::from_mins(5);
            self.run("collect-usage").await;
        }
        self.run("check-usage").await;
        self.run("check-usage").await;
    }

    /// The mails of a template: to whom, and what they say.
    async fn mails(&self, template: &str) -> Vec<(String, Value)> {
        mail::write_all(&self.pool).await;
        sqlx::query_as(
            "select payload ->> 'to', payload -> 'values' from outbox
             where payload ->> 'template' = $1 order by created_at, id",
        )
        .bind(template)
        .fetch_all(&self.pool)
        .await
        .unwrap()
    }

    async fn stands(&self) -> Option<(Standing, Timestamp)> {
        let standings = standings(&self.pool, Some(&id("acme/school"))).await.unwrap();
        let stands = standings.get(&(id("acme/school"), Measure::Cpu))?;
        Some((stands.standing, stands.since))
    }
}

fn reading(of: &str, cpu: Option<i64>, storage: Option<i64>) -> Reading {
    Reading { of: id(of), cpu, memory: None, storage }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_is_measured_once_and_what_cannot_be_is_said() {
    let Some(business) = Business::open().await else { return };
    let trouble = "CPU and memory in cluster `saigon` are not known";
    let readings = [
        reading("acme/school", None, Some(1024)),
        // Nobody has a document of it: its tenant has moved out.
        reading("gone/school", Some(1), Some(1)),
    ];
    business.says(&readings, &[trouble]);
    let report = business.run("collect-usage").await;
    assert_eq!(report.summary, "subscriptions measured: 1; new samples: 1");
    assert_eq!(report.findings, [trouble]);
    // The same minute once more, and a meter that says something else now.
    business.says(&[reading("acme/school", Some(500), Some(4096))], &[]);
    let report = business.run("collect-usage").await;
    assert_eq!(
        (report.summary.as_str(), report.findings.len()),
        ("subscriptions measured: 1; new samples: 1", 0)
    );
    let kept: Vec<(String, i64, i32)> =
        sqlx::query_as("select measure, value, seconds from usage_sample order by measure")
            .fetch_all(&business.pool)
            .await
            .unwrap();
    let expected = [("cpu".to_owned(), 500, 300), ("storage".to_owned(), 1024, 300)];
    assert_eq!(kept, expected);
    assert_eq!(business.run("roll-up-usage").await.summary, "samples added up: 2");
    assert_eq!(business.run("roll-up-usage").await.summary, "samples added up: 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_crossed_is_told_once_and_stops_nobody() {
    let Some(business) = Business::open().await else { return };
    let limit = business.limit_of_cpu();
    business.uses(limit / 2).await;
    assert_eq!((business.stands().await, business.mails("usage-high").await.len()), (None, 0));

    business.uses(limit * 91 / 100).await;
    let (standing, since) = business.stands().await.unwrap();
    assert_eq!((standing, since), (Standing::Near, business.now()));
    let mails = business.mails("usage-high").await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    let (to, values) = &mails[0];
    assert_eq!(to, "owner@acme.example");
    assert_eq!((&values["percent"], &values["reached"]), (&91.into(), &false.into()));

    // A little less, and back: that is no news.
    business.uses(limit * 88 / 100).await;
    business.uses(limit * 92 / 100).await;
    assert_eq!(business.stands().await, Some((Standing::Near, since)));
    assert_eq!(business.mails("usage-high").await.len(), 1);

    business.uses(limit).await;
    business.uses(limit * 2).await;
    assert_eq!(business.mails("usage-high").await.len(), 2);
    // Operators are told once that it is over the threshold.
    business.run("alerts").await;
    business.run("alerts").await;
    let alerts = business.mails("alert").await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    let (to, values) = &alerts[0];
    assert_eq!(
        (to.as_str(), &values["about"]),
        ("ops@operator.example", &"acme/school/cpu".into())
    );
    let report = business.run("check-usage").await;
    assert!(report.findings[0].starts_with("acme/school uses all of its cpu"), "{report:?}");
    let changes: i64 = sqlx::query_scalar("select count(*) from outbox where kind = 'commit'")
        .fetch_one(&business.pool)
        .await
        .unwrap();
    assert_eq!(changes, 0, "nobody is stopped");

    // Down and up again is another crossing.
    business.uses(limit / 10).await;
    assert_eq!(business.stands().await, None);
    business.uses(limit).await;
    assert_eq!(business.mails("usage-high").await.len(), 3);

    // Who is not measured stands where they stood.
    *business.clock.0.lock().unwrap() += SignedDuration::from_hours(5);
    business.run("check-usage").await;
    assert_eq!(business.stands().await.unwrap().0, Standing::Reached);
}

impl Business {
    /// What the package of `acme/school` grants, in thousandths of a core.
    fn limit_of_cpu(&self) -> i64 {
        let taken = self.runner.taken.borrow();
        let configuration = &taken.as_ref().unwrap().configuration;
        let school = id("acme/school");
        let bought = &configuration.subscriptions[&school.tenant][&school.name].spec;
        let package = &configuration.packages[&bought.package].spec;
        let limits = tenantry::usage::limits::limits_of(package, bought);
        limits.iter().find(|limit| limit.measure == Measure::Cpu).unwrap().most
    }
}
