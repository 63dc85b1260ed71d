//! Killed between any two steps, and done by two at once: one order, one commit, one charge.

use jiff::SignedDuration;
use tenantry::edits::Delivery;
use tenantry::edits::Edit;
use tenantry::history::record::UnitState;
use tenantry::operations::commit;
use tenantry::operations::operation;
use tenantry::outbox;
use tenantry::outbox::Kind;
use tenantry::source::commits::Person;
use uuid::Uuid;

use super::Shop;
use crate::edits::git;

impl Shop {
    /// How many commits of the branch name an intent.
    fn commits_of(&self, intent: &str) -> usize {
        let said = git(&self.repository.git_folder(), &["log", "--format=%B", "main"]).unwrap();
        said.matches(&format!("Intent-Id: {intent}\n")).count()
    }
}

#[tokio::test]
async fn a_worker_that_dies_with_its_lease_is_followed_by_another() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.newcomer("dies@example.com").await;
    shop.top_up(&tenant, "200.00 USD").await;
    let placed = shop.order(&token, "kiteclass-basic", "dies").await;
    let now = shop.now();
    let until = now + SignedDuration::from_mins(2);
    // It took the row, and was never heard of again.
    let taken = outbox::lease(&shop.portal.pool, Kind::Commit, 10, now, until).await.unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!(shop.commit().await, 0, "it is somebody else's");
    shop.portal.wait(SignedDuration::from_mins(2));
    assert_eq!(shop.commit().await, 1);
    assert_eq!(shop.commits_of(placed.json["id"].as_str().unwrap()), 1);
    // The first wakes up: what it says is not written any more.
    let mut db = shop.db().await;
    assert!(!outbox::done(&mut db, &taken[0], &"late", now).await.unwrap());
}

#[tokio::test]
async fn a_worker_that_dies_after_its_push_is_found_by_its_trailer() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.newcomer("pushed@example.com").await;
    shop.top_up(&tenant, "200.00 USD").await;
    let placed = shop.order(&token, "kiteclass-basic", "pushed").await;
    let id: Uuid = placed.json["id"].as_str().unwrap().parse().unwrap();
    let intent = operation::find(&mut *shop.db().await, id).await.unwrap().intent;
    let (change, of) = (intent.change.clone(), intent.tenant.clone());
    // The commit is on the branch, and nobody wrote that down.
    let edit = Edit {
        intent: id.into(),
        author: Person { name: "Acme Corp".into(), email: "pushed@example.com".into() },
        at: shop.now(),
        tenant: Some(intent.tenant),
        subject: "an order".into(),
        body: String::new(),
        trailers: Vec::new(),
        delivery: Delivery::Commit,
        change: std::sync::Arc::new(move |draft| change.make(draft, &of)),
    };
    let pushed = shop.editor.commit(edit).await.unwrap();
    shop.commit().await;
    let operation = shop.operation(&placed.json["id"], &token).await;
    assert_eq!(operation["commit"], pushed.commit.as_str());
    assert_eq!(shop.commits_of(&id.to_string()), 1);
    shop.take().await;
    shop.say(&tenant, UnitState::Converged, None).await;
    shop.follow().await;
    assert_eq!(shop.operation(&placed.json["id"], &token).await["status"], "succeeded");
    shop.books_balance().await;
}

#[tokio::test]
async fn a_worker_that_is_dropped_anywhere_leaves_what_the_next_one_ends() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.newcomer("dropped@example.com").await;
    shop.top_up(&tenant, "200.00 USD").await;
    let placed = shop.order(&token, "kiteclass-basic", "dropped").await;
    let taken = shop.take().await;
    // Each time it comes a little further.
    for microseconds in (0..40).map(|step| 1 << (step / 2)) {
        let time = std::time::Duration::from_micros(microseconds);
        let working = commit::work(&shop.portal.pool, &shop.editor, shop.now());
        drop(tokio::time::timeout(time, working).await);
        let following = shop.follower.work(&shop.portal.pool, &taken, shop.now());
        drop(tokio::time::timeout(time, following).await);
        shop.portal.wait(SignedDuration::from_mins(2));
    }
    let token = {
        drop(token);
        shop.portal.log_in("dropped@example.com").await.access
    };
    shop.commit().await;
    assert_eq!(shop.commits_of(placed.json["id"].as_str().unwrap()), 1);
    shop.take().await;
    shop.say(&tenant, UnitState::Converged, None).await;
    for microseconds in (0..40).map(|step| 1 << (step / 2)) {
        let taken = shop.take().await;
        let following = shop.follower.work(&shop.portal.pool, &taken, shop.now());
        drop(tokio::time::timeout(std::time::Duration::from_micros(microseconds), following).await);
    }
    shop.follow().await;
    assert_eq!(shop.operation(&placed.json["id"], &token).await["status"], "succeeded");
    assert_eq!(shop.count("select count(*) from invoice").await, 1);
    assert_eq!(
        shop.count("select count(*) from ledger_transaction where reason = 'charge'").await,
        1
    );
    assert_eq!(
        shop.count("select count(*) from outbox where payload ->> 'template' = 'instance-ready'")
            .await,
        1
    );
    assert_eq!(shop.wallet(&tenant, "USD").await, (9_110, 0));
    shop.books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_and_two_followers_at_once_do_everything_once() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.newcomer("both@example.com").await;
    shop.top_up(&tenant, "200.00 USD").await;
    let placed = shop.order(&token, "kiteclass-basic", "both").await;
    tokio::join!(shop.commit(), shop.commit(), shop.commit());
    assert_eq!(shop.commits_of(placed.json["id"].as_str().unwrap()), 1);
    let taken = shop.take().await;
    shop.say(&tenant, UnitState::Converged, None).await;
    let follow = || shop.follower.work(&shop.portal.pool, &taken, shop.now());
    let (one, two, three) = tokio::join!(follow(), follow(), follow());
    assert_eq!(one.unwrap() + two.unwrap() + three.unwrap(), 1);
    assert_eq!(shop.count("select count(*) from invoice").await, 1);
    assert_eq!(shop.wallet(&tenant, "USD").await, (9_110, 0));
    shop.books_balance().await;
}
