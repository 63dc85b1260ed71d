//! Orders by the hundred in a repository of ten thousand tenants: how long until the 202, how long
//! until the commit is pushed and written down, and what an order adds to the repository.
//!
//! The portal, its commit worker and the daemon's reading of every new commit share this process;
//! PostgreSQL and Git are real, a cluster is not there. First orders come at a steady pace, whether
//! those before them are answered or not (`BENCH_ORDERS_PACE`, 100 a second, for
//! `BENCH_ORDERS_SECONDS`, 20); each is timed from when it was due. Then they come as fast as they
//! are answered. Half of both are for schools on a cluster, half for licences.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use axum::Router;
use futures_util::future;
use jiff::Timestamp;
use serde_json::json;
use sqlx::PgPool;
use tempfile::TempDir;
use tenantry::api::Api;
use tenantry::api::Catalog;
use tenantry::api::Desk;
use tenantry::billing::OperationKey;
use tenantry::billing::ledger;
use tenantry::billing::ledger::Booking;
use tenantry::edits::Editor;
use tenantry::history::Store;
use tenantry::operations::follow::Follower;
use tenantry::operations::follow::Patience;
use tenantry::operations::follow::Taken;
use tenantry::operations::work::SystemClock;
use tenantry::operations::work::Work;
use tenantry::postgres::Database;
use tenantry::reconcile::desired;
use tenantry::reconcile::desired::Desired;
use tenantry::source::Head;
use tenantry::source::Settings;
use tenantry::source::Source;
use tenantry::source::commits::Person;
use tokio::sync::watch;
use uuid::Uuid;

use crate::support::git::TestRepo;
use crate::support::measure::quantile;
use crate::support::measure::runtime;
use crate::support::measure::size;
use crate::support::portal;
use crate::support::portal::Client;
use crate::support::repository;

const TENANTS: usize = 10_000;
/// Who orders, in turn.
const PEOPLE: usize = 100;
/// How many ask at once where they come as fast as they are answered.
const CLIENTS: usize = 64;
/// How often it is looked which commits are written down.
const LOOK: Duration = Duration::from_millis(10);
/// How often the daemon's part looks for new commits.
const FOLLOW: Duration = Duration::from_millis(250);
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) fn run() {
    runtime().block_on(measure());
}

async fn measure() {
    let Some((database, _server)) = portal::database().await else { return };
    let shop = Shop::open(&database).await;
    println!("  {TENANTS} tenants, {PEOPLE} people who order");
    let before = shop.size();

    let pace = size("BENCH_ORDERS_PACE", 100);
    let many = pace * size("BENCH_ORDERS_SECONDS", 20);
    let steady = shop.steadily(many, pace).await;
    let (accepted, pushed) = steady.told();
    let growth = (shop.size() - before) / many;
    println!("  {pace} a second: {many} orders, 202 {accepted}, pushed {pushed}");
    println!("    {growth} bytes an order as pushed, {} packed", shop.packed(before, many));

    let flood = shop.all_at_once(many).await;
    let (flood_accepted, flood_pushed) = flood.told();
    let rate = many as f64 / flood.took.as_secs_f64();
    println!(
        "  {CLIENTS} at once: {rate:.0} a second, 202 {flood_accepted}, pushed {flood_pushed}"
    );
    shop.every_order_is_a_commit(2 * many);

    println!(
        "summary: {pace} orders a second in a repository of {TENANTS} tenants: 202 {accepted}, pushed {pushed}, {growth} bytes an order; at most {rate:.0} a second from order to pushed commit"
    );
}

/// A portal that commits, and the daemon's reading beside it.
struct Shop {
    repository: TestRepo,
    pool: PgPool,
    /// Where orders are sent.
    orders: String,
    /// The tokens of those who order.
    people: Vec<String>,
    client: Client,
    _cache: TempDir,
}

/// How long orders took, each until it was answered and until its commit was written down.
struct Served {
    accepted: Vec<Duration>,
    pushed: Vec<Duration>,
    /// From the first order to the last commit.
    took: Duration,
}

impl Served {
    fn told(&self) -> (String, String) {
        (told(&self.accepted), told(&self.pushed))
    }
}

fn told(took: &[Duration]) -> String {
    let mut took = took.to_vec();
    took.sort();
    format!("p50 {:.0?}, p99 {:.0?}", quantile(&took, 50), quantile(&took, 99))
}

impl Shop {
    async fn open(database: &Database) -> Self {
        let repository = TestRepo::bare();
        let tenants = (0..TENANTS).flat_map(repository::tenant_files);
        for (path, text) in repository::shared_files().into_iter().chain(tenants) {
            repository.write(&path, text);
        }
        repository.commit("ten thousand");
        git(&repository.git_folder(), &["gc", "--quiet"]);

        let cache = tempfile::tempdir().expect("there is room for two mirrors");
        let settings = Settings::of(repository.file_url().parse().expect("it is an address"));
        let committer = Person { name: "Portal".into(), email: "portal@tenantry.invalid".into() };
        let editor = Editor::open(settings.clone(), cache.path(), committer, None).await;
        let editor = editor.expect("the repository is there");
        let source = Source::open(settings, &cache.path().join("followed")).await;
        let source = source.expect("the repository is there");

        let desk = Desk::new(editor.clone());
        let accepted = desk.accepted();
        let api = portal::open(database, |parts| parts.desk = Some(desk));
        let (taken, newest) = watch::channel(None);
        let first = read_on(&source, None, api.catalog(), &taken).await;
        let follower = Follower {
            history: Store::over(database.clone()),
            objects: source.objects().clone(),
            patience: Patience::default(),
        };
        let work = Work {
            database: database.clone(),
            editor,
            follower,
            taken: newest,
            accepted,
            clock: Arc::new(SystemClock),
        };
        drop(work.start());
        tokio::spawn(follow(source, first, api.clone(), taken));

        let address = portal::serve(api.router(Router::new())).await;
        let mut people = Vec::new();
        for number in 0..PEOPLE {
            let email = format!("person-{number}@example.com");
            people.push(portal::somebody(&address, database, &email).await);
        }
        let pool = database.pool().clone();
        give_everybody_money(&pool).await;
        let orders = format!("http://{address}/api/v1/orders");
        Self { repository, pool, orders, people, client: Client::new(), _cache: cache }
    }

    /// One order; says which operation it is.
    async fn order(&self, number: usize) -> Uuid {
        let key = Uuid::now_v7().to_string();
        // What one part of a benchmark orders has another name than what the others do.
        let name = format!("s{}", &key.replace('-', "")[..24]);
        let body = if number.is_multiple_of(2) {
            json!({ "choice": { "package": "kiteclass-basic" }, "name": name, "subdomain": name })
        } else {
            json!({ "choice": { "package": "kkt-starter" }, "name": name })
        };
        let token = &self.people[number % PEOPLE];
        let (_, order) = self.client.post(&self.orders, token, Some(&key), &body).await;
        let id = order["id"].as_str().unwrap_or_else(|| panic!("no order: {order}"));
        id.parse().expect("it is an id")
    }

    /// Orders at a pace, whether those before are answered or not.
    async fn steadily(&self, many: usize, pace: usize) -> Served {
        let (start, since) = (Instant::now(), self.newest_event().await);
        let every = Duration::from_secs(1) / u32::try_from(pace).expect("nobody is that fast");
        let orders = (0..many).map(|number| async move {
            let due = start + every * u32::try_from(number).expect("nobody waits that long");
            tokio::time::sleep_until(due.into()).await;
            let operation = self.order(number).await;
            (operation, due, due.elapsed())
        });
        self.served(start, since, future::join_all(orders)).await
    }

    /// Orders as fast as they are answered.
    async fn all_at_once(&self, many: usize) -> Served {
        let (start, since) = (Instant::now(), self.newest_event().await);
        let clients = (0..CLIENTS).map(|client| async move {
            let mut orders = Vec::new();
            for number in (client..many).step_by(CLIENTS) {
                let due = Instant::now();
                orders.push((self.order(number).await, due, due.elapsed()));
            }
            orders
        });
        let orders = async { future::join_all(clients).await.concat() };
        self.served(start, since, orders).await
    }

    /// Waits for orders, and for their commits to be written down.
    async fn served(
        &self,
        start: Instant,
        since: i64,
        orders: impl Future<Output = Vec<(Uuid, Instant, Duration)>>,
    ) -> Served {
        let (pool, deadline) = (self.pool.clone(), start + PATIENCE);
        let (enough, mut needed) = watch::channel(None);
        let looking = tokio::spawn(async move {
            let (mut seen, mut at) = (BTreeMap::new(), since);
            while needed.borrow_and_update().is_none_or(|needed: usize| seen.len() < needed) {
                assert!(Instant::now() < deadline, "only {} orders are committed", seen.len());
                for (sequence, operation) in committed_after(&pool, at).await {
                    at = at.max(sequence);
                    seen.insert(operation, Instant::now());
                }
                tokio::time::sleep(LOOK).await;
            }
            seen
        });
        let orders = orders.await;
        enough.send_replace(Some(orders.len()));
        let committed = looking.await.expect("it does not panic");
        let pushed = orders.iter().map(|(operation, due, _)| committed[operation] - *due);
        let pushed = pushed.collect();
        let last = committed.values().max().expect("there are orders");
        let took = *last - start;
        let accepted = orders.into_iter().map(|(_, _, accepted)| accepted).collect();
        Served { accepted, pushed, took }
    }

    async fn newest_event(&self) -> i64 {
        let newest = "select coalesce(max(sequence), 0) from operation_event";
        sqlx::query_scalar(newest).fetch_one(&self.pool).await.expect("the table is there")
    }

    /// How much room the repository takes, in bytes.
    fn size(&self) -> usize {
        folder_size(&self.repository.git_folder())
    }

    /// How much an order adds, in bytes, once the repository is packed as servers do at night.
    fn packed(&self, before: usize, many: usize) -> usize {
        git(&self.repository.git_folder(), &["gc", "--quiet"]);
        self.size().saturating_sub(before) / many
    }

    fn every_order_is_a_commit(&self, many: usize) {
        let folder = self.repository.git_folder();
        let log = git(&folder, &["log", "--format=%(trailers:key=Intent-Id,valueonly)", "main"]);
        let mut intents: Vec<&str> = log.lines().filter(|line| !line.is_empty()).collect();
        let commits = intents.len();
        intents.sort_unstable();
        intents.dedup();
        assert_eq!((commits, intents.len()), (many, many), "one commit an order");
    }
}

/// Reads every commit as the daemon does, and shows it to the portal.
async fn follow(
    source: Source,
    first: Arc<Desired>,
    api: Api,
    taken: watch::Sender<Option<Taken>>,
) {
    let mut known = first;
    loop {
        tokio::time::sleep(FOLLOW).await;
        known = read_on(&source, Some(known), api.catalog(), &taken).await;
    }
}

async fn read_on(
    source: &Source,
    known: Option<Arc<Desired>>,
    catalog: &Catalog,
    taken: &watch::Sender<Option<Taken>>,
) -> Arc<Desired> {
    let head = match source.look().await.expect("the repository is there") {
        Head::Taken(commit) => commit,
        Head::Refused(_) => panic!("nobody rewrites anything"),
    };
    if let Some(known) = &known
        && known.commit == head
    {
        return Arc::clone(known);
    }
    let snapshot = source.snapshot(&head).await.expect("it was just fetched");
    let reading = move || {
        let desired = desired::advance(known.as_deref(), &snapshot, Timestamp::now());
        assert!(desired.held.is_empty(), "{:?}", desired.held.first_key_value());
        Arc::new(desired)
    };
    let desired = tokio::task::spawn_blocking(reading).await.expect("it does not panic");
    let configuration = Arc::clone(&desired.configuration);
    catalog.publish(head.clone(), Arc::clone(&configuration));
    taken.send_replace(Some(Taken { commit: head, configuration }));
    desired
}

/// The operations that were committed after an event, each with its own.
async fn committed_after(pool: &PgPool, event: i64) -> Vec<(i64, Uuid)> {
    sqlx::query_as(
        "select sequence, operation_id from operation_event
         where sequence > $1 and state = 'committed' order by sequence",
    )
    .bind(event)
    .fetch_all(pool)
    .await
    .expect("the table is there")
}

/// Enough for as many orders as anybody measures.
async fn give_everybody_money(pool: &PgPool) {
    let tenants: Vec<String> = sqlx::query_scalar("select tenant from user_account")
        .fetch_all(pool)
        .await
        .expect("the table is there");
    for tenant in tenants {
        let key: OperationKey = format!("bench:{tenant}").parse().expect("it is a key");
        let customer = tenant.parse().expect("it is a customer");
        let booking = Booking::by_system(&key, Timestamp::now());
        let mut db = pool.begin().await.expect("the database is there");
        let (gateway, amount) = ("dummy".parse().expect("it is a name"), "1000000.00 USD".parse());
        let amount = amount.expect("it is money");
        ledger::top_up(&mut db, booking, &customer, &gateway, amount).await.expect("it is new");
        db.commit().await.expect("the database is there");
    }
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output();
    let output = output.expect("`git` is on the PATH");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it is text")
}

fn folder_size(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("it is a folder of our own");
    let sizes = entries.map(|entry| {
        let entry = entry.expect("its entries can be read");
        match entry.metadata() {
            Ok(facts) if facts.is_dir() => folder_size(&entry.path()),
            Ok(facts) => usize::try_from(facts.len()).unwrap_or(usize::MAX),
            // Git takes its own files away while one looks.
            Err(_) => 0,
        }
    });
    sizes.sum()
}
