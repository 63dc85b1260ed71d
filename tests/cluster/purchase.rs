//! What a customer buys, from the first visit to the mail that hands it over: paid by notifications
//! of Midtrans that come never, once or three times and out of order, with a daemon that is killed
//! again and again on the way. One order, one commit, one charge, one mail.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;
use sqlx::PgPool;
use tenantry::billing::ledger;
use tenantry::billing::ledger::Customer;
use tokio::sync::watch;

use super::ground::Ground;
use super::killed::Moments;
use crate::api::PASSWORD;
use crate::api::client::Answer;
use crate::api::client::Client;
use crate::edits::git;
use crate::payments::stub;
use crate::payments::stub::Known;
use crate::payments::stub::Stub;
use crate::support::daemon::Daemon;
use crate::support::post_office::PostOffice;
use crate::support::post_office::Tls;

const PATIENCE: Duration = Duration::from_mins(10);
/// A STANDARD, in the one currency that Midtrans takes, and a tenth of it.
const PRICE: i64 = 298_500_000;
const TOTAL: i64 = PRICE + PRICE / 10;

/// The world around the daemon: a cluster, a repository, a bank, a post office.
struct Town {
    ground: Ground,
    bank: Stub,
    office: PostOffice,
    /// What the daemon is told on its command line.
    settings: Vec<String>,
    /// Where the portal answers now.
    portal: watch::Sender<String>,
    _payments: tempfile::NamedTempFile,
}

/// What somebody bought.
struct Purchase {
    email: String,
    tenant: String,
    order: String,
}

impl Town {
    async fn build(ground: Ground) -> Self {
        ground.with_only(&[]);
        let standard = "packages/kiteclass/standard.yaml";
        let text = ground.repository.read(standard);
        // Fifteen thousand rupiah for a dollar.
        let in_rupiah = text.lines().map(|line| match line.split_once(".00 USD") {
            Some((before, after)) => {
                let (words, dollars) = before.rsplit_once(' ').unwrap();
                format!("{words} {}.00 IDR{after}\n", dollars.parse::<i64>().unwrap() * 15_000)
            }
            None => format!("{line}\n"),
        });
        let text: String = in_rupiah.collect();
        ground.repository.write(standard, text).commit("standard: sold in rupiah");
        let cluster = "clusters/saigon.yaml";
        let text = ground.repository.read(cluster);
        let text = text.replace("cpu: 24\n", "cpu: 960\n").replace("128Gi", "4096Gi");
        ground.repository.write(cluster, text).commit("room for everybody");
        let (bank, office) = (Stub::open().await, PostOffice::open(Tls::Start).await);
        let payments = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(payments.path(), bank.settings()).unwrap();
        let mail = office.settings();
        let settings = [
            "--payments-file".to_owned(),
            payments.path().display().to_string(),
            "--portal-url".to_owned(),
            "https://portal.example.com".to_owned(),
            "--smtp-url".to_owned(),
            mail.smtp_url.unwrap(),
            "--smtp-ca-file".to_owned(),
            mail.smtp_ca_file.unwrap().display().to_string(),
        ];
        let portal = watch::Sender::new(String::new());
        Self { ground, bank, office, settings: settings.to_vec(), portal, _payments: payments }
    }

    async fn start(&self) -> Daemon {
        let daemon = self.ground.start_portal_with(&self.settings).await;
        self.portal.send_replace(daemon.portal_address().await);
        daemon
    }

    /// Asks the portal, wherever it is by then, until it answers like this.
    async fn until(
        &self,
        (method, path, token): (&str, &str, &str),
        body: Option<Value>,
        key: &str,
        like: impl Fn(&Answer) -> bool,
    ) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        let mut last = String::new();
        loop {
            let mut portal = self.portal.subscribe();
            let address = portal.wait_for(|address| !address.is_empty()).await.unwrap().clone();
            let client = Client::at(address);
            let kind = body.is_some().then_some(("content-type", "application/json"));
            let key = (!key.is_empty()).then_some(("idempotency-key", key));
            let headers: Vec<_> = kind.into_iter().chain(key).collect();
            let text = body.as_ref().map_or(String::new(), Value::to_string);
            match client.try_to_send(method, path, token, text, &headers).await {
                Some(answer) if like(&answer) => return answer,
                Some(answer) => last = format!("{} {}", answer.status, answer.text),
                None => {}
            }
            assert!(Instant::now() < deadline, "never: {method} {path}; at last {last}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The word that a mail of this template brings after a mark, once it is there.
    async fn mailed(&self, to: &str, mark: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mails = self.office.mails();
            let found = mails.iter().filter(|mail| mail.contains(&format!("To: {to}")));
            // As it is written for the way (RFC 2045).
            let mut read = found.map(|mail| mail.replace("=\n", "").replace("=3D", "="));
            let found = read.find_map(|mail| {
                let (_, after) = mail.split_once(mark)?;
                Some(after.split_whitespace().next().unwrap_or_default().to_owned())
            });
            if let Some(word) = found {
                return word;
            }
            assert!(Instant::now() < deadline, "no mail to {to} with {mark}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// A visitor registers, orders a school, pays at the bank, and waits for the keys. The bank
    /// tells of the payment so often.
    async fn visit(&self, name: &str, told: usize) -> Purchase {
        let email = format!("owner@{name}.example");
        let body = json!({ "email": email, "password": PASSWORD, "name": "Lan", "organisation": format!("School {name}") });
        self.until(("POST", "/auth/register", ""), Some(body), "", |told| told.status == 202).await;
        let token = self.mailed(&email, "/verify?token=").await;
        let body = json!({ "token": token, "password": PASSWORD });
        // Where the answer was lost, the token is used up.
        self.until(("POST", "/auth/verify", ""), Some(body), "", |told| {
            [204, 400, 401, 404, 409, 410, 422].contains(&told.status)
        })
        .await;
        let body = json!({ "email": email, "password": PASSWORD });
        let login = ("POST", "/auth/login", "");
        let token = self.until(login, Some(body), "", |told| told.status == 200).await;
        let token = token.json["access_token"].as_str().unwrap().to_owned();
        let me = self.until(("GET", "/auth/me", &token), None, "", |told| told.status == 200).await;
        let tenant = me.json["tenant"].as_str().unwrap().to_owned();

        let body = json!({ "choice": { "package": "kiteclass-standard" }, "name": "school", "subdomain": name });
        let placed =
            self.until(("POST", "/orders", &token), Some(body), name, |told| told.status == 201);
        let order = placed.await.json["id"].as_str().unwrap().to_owned();
        let path = format!("/orders/{order}/payments");
        let body = json!({ "provider": "midtrans" });
        let key = format!("{name}-pays");
        let begun = self.until(("POST", &path, &token), Some(body), &key, |told| {
            told.json["redirect_url"].is_string()
        });
        let url = begun.await.json["redirect_url"].as_str().unwrap().to_owned();
        let (_, at_the_bank) = url.rsplit_once('/').unwrap();
        let amount = self.bank.known(at_the_bank).amount;
        self.bank.paid(at_the_bank);
        let early =
            Known { amount, status: "pending".into(), code: "201".into(), ..Known::default() };
        for time in 0..told {
            self.notify(at_the_bank, &self.bank.known(at_the_bank)).await;
            if time == 0 && told > 1 {
                // What the bank said before arrives after it.
                self.notify(at_the_bank, &early).await;
            }
        }
        let path = format!("/operations/{order}");
        let ended =
            self.until(("GET", &path, &token), None, "", |told| told.json["ended_at"].is_string());
        let ended = ended.await.json;
        assert_eq!(ended["status"], "succeeded", "{ended}");
        self.mailed(&email, &format!("https://{name}.")).await;
        Purchase { email, tenant, order }
    }

    async fn notify(&self, order: &str, known: &Known) {
        let body = stub::midtrans(order, known);
        self.until(("POST", "/hooks/midtrans", ""), Some(body), "", |told| told.status == 200)
            .await;
    }

    /// One commit, one charge, one invoice; of each mail one.
    async fn look(&self, purchases: &[Purchase]) {
        let log = git(&self.ground.repository.git_folder(), &["log", "--format=%an%n%B", "main"]);
        let log = log.unwrap();
        let pool = PgPool::connect(self.ground.history()).await.unwrap();
        let mut db = pool.acquire().await.unwrap();
        for Purchase { email, tenant, order } in purchases {
            assert_eq!(log.matches(&format!("Intent-Id: {order}\n")).count(), 1, "{email}");
            let customer: Customer = tenant.parse().unwrap();
            let wallet = ledger::wallet(&mut db, &customer, "IDR".parse().unwrap()).await.unwrap();
            assert_eq!((wallet.available.minor, wallet.held.minor), (0, 0), "{email}");
            let (paid, received): (i64, i64) = sqlx::query_as(
                "select count(*), coalesce(sum(amount), 0)::bigint from payment where customer = $1 and state = 'paid'",
            )
            .bind(tenant)
            .fetch_one(&mut *db)
            .await
            .unwrap();
            assert_eq!((paid, received), (1, TOTAL), "{email}");
            let (invoices,): (i64,) =
                sqlx::query_as("select count(*) from invoice where customer = $1")
                    .bind(tenant)
                    .fetch_one(&mut *db)
                    .await
                    .unwrap();
            assert_eq!(invoices, 1, "{email}");
        }
        assert!(ledger::verify(&mut db).await.unwrap().is_empty());
        self.look_at_mails(purchases);
    }

    /// A server that was given a mail and not heard when it said so is given it once more, under
    /// the same Message-ID (RFC 5321, 4.5.5): that is one mail.
    fn look_at_mails(&self, purchases: &[Purchase]) {
        let mut subjects: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        for mail in self.office.mails() {
            let header = |name: &str| {
                let line = mail.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_else(|| panic!("no {name} in {mail}")).to_owned()
            };
            let fact = (header("To: "), header("Subject: "));
            subjects.entry(fact).or_default().insert(header("Message-ID: "));
        }
        for ((to, subject), ids) in &subjects {
            assert_eq!(ids.len(), 1, "{to} was told {} times: {subject}", ids.len());
        }
        for Purchase { email, .. } in purchases {
            let told = subjects.keys().filter(|(to, _)| to.contains(email.as_str())).count();
            assert!(told >= 4, "{email} was told {told} things: {subjects:?}");
        }
    }
}

async fn a_visitor_gets_a_school(ground: Option<Ground>) {
    let Some(ground) = ground else { return };
    let town = Town::build(ground).await;
    let daemon = town.start().await;
    let purchase = town.visit("lotus", 1).await;
    town.look(&[purchase]).await;
    let log =
        git(&town.ground.repository.git_folder(), &["log", "-1", "--format=%an|%cn|%B", "main"]);
    let log = log.unwrap();
    assert!(log.starts_with("School lotus|Tenantry portal|"), "{log}");
    assert!(log.contains("\nIntent-Id: ") && log.contains("\nActor: "), "{log}");
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_pays_at_midtrans_and_is_mailed_the_keys_of_a_running_school_on_the_sandbox() {
    a_visitor_gets_a_school(Ground::on_a_sandbox().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_pays_at_midtrans_and_is_mailed_the_keys_of_a_running_school_on_the_real_server()
{
    a_visitor_gets_a_school(Ground::on_a_real_server().await).await;
}

const KILLS: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn killed_a_hundred_times_on_the_way_nothing_is_lost_and_nothing_is_twice() {
    let Some(ground) = Ground::on_a_sandbox().await else { return };
    let town = Town::build(ground).await;
    let killed = AtomicUsize::new(0);
    let kills = || killed.load(Ordering::Relaxed);
    let killing = async {
        let seed = std::env::var("TENANTRY_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let mut moments = Moments::of(seed, Duration::from_secs(6));
        println!("TENANTRY_TEST_SEED={}", moments.seed);
        loop {
            let daemon = town.start().await;
            if kills() == KILLS {
                return daemon;
            }
            tokio::time::sleep(moments.next()).await;
            daemon.kill();
            killed.fetch_add(1, Ordering::Relaxed);
        }
    };
    // One lane for each number of notifications; in each somebody is always on the way.
    let lane = async |told: usize| {
        let mut purchases = Vec::new();
        while kills() < KILLS {
            let name = format!("told-{told}-{}", purchases.len());
            purchases.push(town.visit(&name, told).await);
        }
        purchases
    };
    let (daemon, never, once, thrice) = tokio::join!(killing, lane(0), lane(1), lane(3));
    let purchases: Vec<Purchase> = never.into_iter().chain(once).chain(thrice).collect();
    println!("{} purchases", purchases.len());
    town.look(&purchases).await;
    assert_eq!(daemon.stop().await, Some(0));
}
