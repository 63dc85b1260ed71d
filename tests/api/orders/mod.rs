//! Orders and changes: over real HTTP, a real PostgreSQL and a real Git, with a history that the
//! test writes as the daemon does.

mod bad_input;
mod changes;
mod crashes;
mod figures;
mod life;
mod lifecycle;
mod money;
mod placement;
mod racing;
mod review;
mod tasks;

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;
use sqlx::PgConnection;
use tempfile::TempDir;
use tenantry::api::Desk;
use tenantry::billing::OperationKey;
use tenantry::billing::ledger;
use tenantry::billing::ledger::Booking;
use tenantry::billing::ledger::Customer;
use tenantry::edits::Editor;
use tenantry::history::Record;
use tenantry::history::Store;
use tenantry::history::record::UnitState;
use tenantry::history::record::UnitStatus;
use tenantry::model::Configuration;
use tenantry::operations::commit;
use tenantry::operations::follow::Follower;
use tenantry::operations::follow::Patience;
use tenantry::operations::follow::Taken;
use tenantry::source::Head;
use tenantry::source::Settings;
use tenantry::source::Source;
use tenantry::source::commits::Person;
use uuid::Uuid;

use super::Answer;
use super::Portal;
use crate::support::mail;
use crate::support::repository::TestRepo;

/// A portal that commits, and the parts of its daemon that a test moves by hand.
struct Shop {
    portal: Portal,
    repository: TestRepo,
    editor: Editor,
    source: Source,
    follower: Follower,
    _cache: TempDir,
}

impl Shop {
    /// With the example; nothing where the test is skipped.
    async fn open() -> Option<Self> {
        let repository = TestRepo::bare();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("tenants-example");
        repository.write_folder(&example, "").commit("the example");
        let cache = tempfile::tempdir().unwrap();
        let settings = Settings::of(repository.file_url().parse().unwrap());
        let committer =
            Person { name: "Tenantry portal".into(), email: "portal@tenantry.invalid".into() };
        let editor = Editor::open(settings.clone(), cache.path(), committer, None).await.unwrap();
        let source = Source::open(settings, &cache.path().join("followed")).await.unwrap();
        let desk = Desk::new(editor.clone());
        let portal = Portal::open_with(|parts| parts.desk = Some(desk), Router::new()).await?;
        let history = Store::over(portal.api.accounts().database().clone());
        let objects = source.objects().clone();
        let follower = Follower { history, objects, patience: Patience::default() };
        let shop = Self { portal, repository, editor, source, follower, _cache: cache };
        shop.take().await;
        Some(shop)
    }

    fn now(&self) -> Timestamp {
        *self.portal.clock.lock().unwrap()
    }

    async fn db(&self) -> sqlx::pool::PoolConnection<sqlx::Postgres> {
        self.portal.pool.acquire().await.unwrap()
    }

    /// Commits what is due, as the worker does.
    async fn commit(&self) -> usize {
        commit::work(&self.portal.pool, &self.editor, self.now()).await.unwrap()
    }

    /// Takes the newest commit, as the daemon does, and shows it to the portal.
    async fn take(&self) -> Taken {
        let Head::Taken(commit) = self.source.look().await.unwrap() else {
            panic!("it is refused")
        };
        let snapshot = self.source.snapshot(&commit).await.unwrap();
        let configuration = Arc::new(Configuration::read(None, &snapshot));
        self.portal.api.catalog().publish(commit.clone(), Arc::clone(&configuration));
        let wanted = Record::Wanted { commit: commit.clone(), at: self.now() };
        self.follower.history.write(&[wanted]).await.unwrap();
        Taken { commit, configuration }
    }

    /// Says where a tenant stands at the newest commit, as the daemon does.
    async fn say(&self, tenant: &str, state: UnitState, reason: Option<&str>) {
        let status = UnitStatus {
            unit: tenant.parse().unwrap(),
            state,
            commit: Some(self.repository.head()),
            since: self.now(),
            reason: reason.map(str::to_owned),
            next_try: None,
            updated_at: self.now(),
        };
        self.follower.history.write(&[Record::Status(status)]).await.unwrap();
    }

    /// Moves operations on, as the follower does.
    async fn follow(&self) -> usize {
        let taken = self.take().await;
        self.follower.work(&self.portal.pool, &taken, self.now()).await.unwrap()
    }

    /// The same with the commit that was taken last.
    async fn follower_without_taking(&self) -> usize {
        let view = self.portal.api.catalog().view().unwrap();
        let configuration = Arc::clone(&view.configuration);
        let taken = Taken { commit: view.commit.clone(), configuration };
        self.follower.work(&self.portal.pool, &taken, self.now()).await.unwrap()
    }

    /// From accepted to done: committed, taken, converged.
    async fn carry_out(&self, tenant: &str) {
        self.commit().await;
        self.take().await;
        self.say(tenant, UnitState::Converged, None).await;
        self.follow().await;
    }

    /// Somebody who never ordered, and their tenant's name.
    async fn newcomer(&self, email: &str) -> (String, String) {
        let session = self.portal.somebody(email).await;
        let me = self.portal.get("/auth/me", &session.access).await;
        (session.access, me.json["tenant"].as_str().unwrap().to_owned())
    }

    /// Puts money into a wallet.
    async fn top_up(&self, tenant: &str, amount: &str) {
        let key: OperationKey = format!("test:{}", Uuid::now_v7()).parse().unwrap();
        let customer: Customer = tenant.parse().unwrap();
        let booking = Booking::by_system(&key, self.now());
        let mut db = self.portal.pool.begin().await.unwrap();
        let gateway = "dummy".parse().unwrap();
        ledger::top_up(&mut db, booking, &customer, &gateway, amount.parse().unwrap())
            .await
            .unwrap();
        db.commit().await.unwrap();
    }

    /// What is in a wallet in minor units: to spend, and set aside.
    async fn wallet(&self, tenant: &str, currency: &str) -> (i64, i64) {
        let customer: Customer = tenant.parse().unwrap();
        let (mut db, currency) = (self.db().await, currency.parse().unwrap());
        let wallet = ledger::wallet(&mut db, &customer, currency).await.unwrap();
        (wallet.available.minor, wallet.held.minor)
    }

    /// Sends what has to be sent once, under a key of its own.
    async fn send(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Value,
        more: &[(&str, &str)],
    ) -> Answer {
        let key = Uuid::now_v7().to_string();
        let headers: Vec<(&str, &str)> =
            [("idempotency-key", &*key)].into_iter().chain(more.iter().copied()).collect();
        let body = (!body.is_null()).then_some(body);
        self.portal.client.send(method, path, token, body, &headers).await
    }

    async fn order(&self, token: &str, package: &str, subdomain: &str) -> Answer {
        let body = json!({ "choice": { "package": package }, "subdomain": subdomain });
        self.send("POST", "/orders", token, body, &[]).await
    }

    /// A customer who has KiteClass BASIC, paid and converged, with the rest of 500 USD.
    async fn with_a_school(&self, email: &str) -> (String, String) {
        let (token, tenant) = self.newcomer(email).await;
        self.top_up(&tenant, "500.00 USD").await;
        let subdomain = format!("s-{tenant}");
        let answer = self.order(&token, "kiteclass-basic", &subdomain).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        self.carry_out(&tenant).await;
        let path = format!("/orders/{}", answer.json["id"].as_str().unwrap());
        let order = self.portal.get(&path, &token).await;
        assert_eq!(order.json["status"], "fulfilled", "{}", order.text);
        (token, tenant)
    }

    async fn operation(&self, id: &Value, token: &str) -> Value {
        let path = format!("/operations/{}", id.as_str().unwrap());
        let answer = self.portal.get(&path, token).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json
    }

    async fn etag(&self, path: &str, token: &str) -> String {
        let answer = self.portal.get(path, token).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.header("etag").to_owned()
    }

    /// Everything in the books adds up, and every mail that waits can be sent.
    async fn books_balance(&self) {
        let wrong = ledger::verify(&mut *self.db().await).await.unwrap();
        assert!(wrong.is_empty(), "{wrong:?}");
        mail::write_all(&self.portal.pool).await;
    }

    async fn count(&self, statement: &'static str) -> i64 {
        let db: &mut PgConnection = &mut *self.db().await;
        sqlx::query_scalar(statement).fetch_one(db).await.unwrap()
    }
}
