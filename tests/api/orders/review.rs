//! Changes that people review: they wait, go on when they are merged, and are cancelled with their money
//! given back when they are not wanted.

use jiff::SignedDuration;
use serde_json::Value;
use tenantry::accounts::Role;
use tenantry::edits::IntentId;
use tenantry::history::record::UnitState;
use tenantry::model::Commit;
use tenantry::operations::commit;
use tenantry::operations::review;

use super::Shop;
use crate::edits::git;
use crate::edits::review::reviews;
use crate::edits::review::squash;

impl Shop {
    /// Of a platform that wants to look at new subscriptions; and an order for one, paid.
    async fn with_a_reviewed_order(&self, email: &str) -> (String, String, Value) {
        reviews(&self.repository, "open");
        self.take().await;
        let (token, tenant) = self.newcomer(email).await;
        self.top_up(&tenant, "200.00 USD").await;
        let placed = self.order(&token, "kiteclass-basic", "reviewed").await;
        assert_eq!(placed.status, 202, "{}", placed.text);
        (token, tenant, placed.json["id"].clone())
    }

    async fn review(&self) -> usize {
        review::work(&self.portal.pool, &self.editor, self.now()).await.unwrap()
    }

    /// The branch of an order, and where it is.
    fn proposal(&self, order: &Value) -> (String, Commit) {
        let intent: IntentId = order.as_str().unwrap().parse().unwrap();
        let branch = format!("tenantry/{intent}");
        let at = git(&self.repository.git_folder(), &["rev-parse", &branch]).unwrap();
        (branch, Commit::new(&at))
    }
}

#[tokio::test]
async fn a_reviewed_order_waits_for_its_merge_and_then_goes_on_like_every_other() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant, order) = shop.with_a_reviewed_order("waits@example.com").await;
    let head = shop.repository.head();
    shop.commit().await;
    let waiting = shop.operation(&order, &token).await;
    assert_eq!(
        (&waiting["status"], &waiting["message"], &waiting["percent"]),
        (&"proposed".into(), &"it waits for review".into(), &0.into())
    );
    let steps = waiting["conditions"].as_array().unwrap();
    let step = |at: usize| (&steps[at]["type"], &steps[at]["status"]);
    assert_eq!(step(1), (&"proposed".into(), &"true".into()));
    assert_eq!(step(2), (&"committed".into(), &"unknown".into()));
    assert_eq!(shop.repository.head(), head, "nothing is on the branch that is followed");
    assert_eq!(shop.wallet(&tenant, "USD").await.1, 10_890, "the money is set aside");

    // Days go by, others commit, and nobody gives it up.
    shop.portal.wait(SignedDuration::from_hours(72));
    shop.repository.write("readme.md", "by a person").commit("meanwhile");
    assert_eq!((shop.review().await, shop.follow().await), (0, 0));
    let token = shop.portal.log_in("waits@example.com").await.access;
    let cancel = format!("/orders/{}/cancel", order.as_str().unwrap());
    let answer = shop.send("POST", &cancel, &token, Value::Null, &[]).await;
    assert_eq!(answer.status, 409, "{}", answer.text);

    let (branch, proposed) = shop.proposal(&order);
    shop.repository.merge(&proposed, "Merge the order");
    shop.repository.delete_branch(&branch);
    assert_eq!((shop.review().await, shop.review().await), (1, 0));
    let committed = shop.operation(&order, &token).await;
    assert_eq!(
        (&committed["status"], &committed["commit"]),
        (&"committed".into(), &proposed.as_str().into())
    );
    shop.take().await;
    shop.say(&tenant, UnitState::Converged, None).await;
    shop.follow().await;
    assert_eq!(shop.operation(&order, &token).await["status"], "succeeded");
    assert_eq!(shop.wallet(&tenant, "USD").await, (9_110, 0));
    shop.books_balance().await;

    // What was merged can be changed, and what the platform does not name is committed as ever.
    let restart = format!("/pods/{tenant}.kiteclass/restart");
    let restarted = shop.send("POST", &restart, &token, Value::Null, &[]).await;
    assert_eq!(restarted.status, 202, "{}", restarted.text);
    shop.commit().await;
    assert_eq!(shop.operation(&restarted.json["id"], &token).await["status"], "committed");
}

#[tokio::test]
async fn what_is_not_wanted_is_cancelled_says_why_and_gives_the_money_back() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant, order) = shop.with_a_reviewed_order("declined@example.com").await;
    shop.commit().await;
    shop.repository.delete_branch(&shop.proposal(&order).0);
    assert_eq!((shop.review().await, shop.review().await), (1, 0));
    let operation = shop.operation(&order, &token).await;
    assert_eq!(operation["status"], "cancelled");
    let why = operation["message"].as_str().unwrap();
    assert!(why.contains("its branch was deleted without being merged"), "{why}");
    let path = format!("/orders/{}", order.as_str().unwrap());
    assert_eq!(shop.portal.get(&path, &token).await.json["status"], "cancelled");
    assert_eq!(shop.wallet(&tenant, "USD").await, (20_000, 0));
    assert_eq!(shop.portal.mails("failed", "declined@example.com").await, 1);
    assert_eq!(shop.commit().await, 0, "it is not proposed again");
    shop.books_balance().await;
    // An operator reads the same.
    let staff = shop.portal.staff(Role::Operator).await.access;
    assert_eq!(shop.operation(&order, &staff).await["message"], why);
}

#[tokio::test]
async fn whoever_is_killed_anywhere_proposes_once_and_sells_once() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant, order) = shop.with_a_reviewed_order("killed@example.com").await;
    drop(token);
    let killed = async || {
        for microseconds in (0..40).map(|step| 1 << (step / 2)) {
            let time = std::time::Duration::from_micros(microseconds);
            let working = commit::work(&shop.portal.pool, &shop.editor, shop.now());
            drop(tokio::time::timeout(time, working).await);
            let reviewing = review::work(&shop.portal.pool, &shop.editor, shop.now());
            drop(tokio::time::timeout(time, reviewing).await);
            shop.portal.wait(SignedDuration::from_mins(6));
        }
    };
    killed().await;
    shop.commit().await;
    let (branch, proposed) = shop.proposal(&order);
    let folder = shop.repository.git_folder();
    let range = format!("main..{branch}");
    let made = git(&folder, &["rev-list", "--count", &range]).unwrap();
    assert_eq!(made, "1");
    let message = git(&folder, &["log", "-1", "--format=%B", proposed.as_str()]).unwrap();
    squash(&shop.repository, &branch, &message);
    shop.repository.delete_branch(&branch);
    killed().await;
    shop.review().await;
    shop.take().await;
    shop.say(&tenant, UnitState::Converged, None).await;
    shop.follow().await;
    let token = shop.portal.log_in("killed@example.com").await.access;
    assert_eq!(shop.operation(&order, &token).await["status"], "succeeded");
    assert_eq!(shop.wallet(&tenant, "USD").await, (9_110, 0));
    assert_eq!(shop.count("select count(*) from invoice").await, 1);
    let entered = "select count(*) from operation_event where state in ('proposed', 'committed')";
    assert_eq!(shop.count(entered).await, 2);
    shop.books_balance().await;
}
