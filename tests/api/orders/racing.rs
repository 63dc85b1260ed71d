//! Many clients at once, and a person who pushes to the same branch.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tenantry::history::record::UnitState;

use super::Shop;
use crate::edits::git;

const CLIENTS: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn many_order_scale_and_cancel_while_a_person_pushes() {
    let Some(shop) = Shop::open().await else { return };
    // There is room for all of them.
    let cluster = shop.repository.read("clusters/saigon.yaml");
    let cluster =
        cluster.replace("cpu: 24", "cpu: 2400").replace("memory: 128Gi", "memory: 12800Gi");
    shop.repository.write("clusters/saigon.yaml", cluster).commit("more nodes");
    let shop = Arc::new(shop);
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let (token, tenant) = shop.newcomer(&format!("c{number}@example.com")).await;
        shop.top_up(&tenant, "1000.00 USD").await;
        // Nobody waits here for the limits of guessers.
        shop.portal.wait(jiff::SignedDuration::from_secs(10));
        clients.push((token, tenant));
    }
    // The daemon: it commits, takes and converges all the time.
    let daemon = tokio::spawn({
        let (shop, clients) = (Arc::clone(&shop), clients.clone());
        async move {
            loop {
                shop.commit().await;
                shop.take().await;
                for (_, tenant) in &clients {
                    shop.say(tenant, UnitState::Converged, None).await;
                }
                shop.follow().await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
    // The person, in a clone of their own.
    let folder = tempfile::tempdir().unwrap();
    let bare = shop.repository.git_folder();
    git(folder.path(), &["clone", "-q", bare.to_str().unwrap(), "clone"]).unwrap();
    let clone = folder.path().join("clone");
    let person = std::thread::spawn(move || {
        for number in 0..6 {
            std::fs::write(clone.join(format!("notes-{number}.md")), "words").unwrap();
            git(&clone, &["add", "."]).unwrap();
            git(&clone, &["commit", "-qm", &format!("note {number}")]).unwrap();
            while git(&clone, &["push", "-q"]).is_err() {
                git(&clone, &["pull", "-q", "--rebase"]).unwrap();
            }
        }
    });
    let working = clients.iter().cloned().enumerate().map(|(number, (token, tenant))| {
        let shop = Arc::clone(&shop);
        tokio::spawn(async move { one(&shop, number, &token, &tenant).await })
    });
    for client in working.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    tokio::task::spawn_blocking(move || person.join().unwrap()).await.unwrap();
    daemon.abort();
    drop(daemon.await);

    let said = git(&bare, &["log", "--format=%s%n%B", "main"]).unwrap();
    assert_eq!((0..6).filter(|number| said.contains(&format!("note {number}"))).count(), 6);
    assert_eq!(shop.count("select count(*) from operation where state <> 'succeeded'").await, 0);
    assert_eq!(
        shop.count("select count(*) from customer_order where state = 'fulfilled'").await,
        2 * 12
    );
    assert_eq!(shop.count("select count(*) from invoice where number is not null").await, 2 * 12);
    assert_eq!(
        shop.count("select (max(number) - min(number) + 1 - count(*))::bigint from invoice").await,
        0
    );
    let operations = shop.count("select count(*) from operation").await;
    assert_eq!(said.matches("\nIntent-Id: ").count(), usize::try_from(operations).unwrap());
    for (_, tenant) in &clients {
        assert_eq!(shop.wallet(tenant, "USD").await.1, 0);
    }
    shop.books_balance().await;
    valid_at_every_commit(&bare);
}

/// One client: orders, raises it, and cancels it.
async fn one(shop: &Shop, number: usize, token: &str, tenant: &str) {
    let placed = shop.order(token, "kiteclass-basic", &format!("racer-{number}")).await;
    assert_eq!(placed.status, 202, "{}", placed.text);
    done(shop, token, &placed.json["id"]).await;
    let path = format!("/subscriptions/{tenant}.kiteclass");
    let etag = shop.etag(&path, token).await;
    let body = json!({ "package": "kiteclass-standard" });
    let up = shop.send("PUT", &format!("{path}/scale"), token, body, &[("if-match", &etag)]).await;
    assert_eq!(up.status, 202, "{}", up.text);
    done(shop, token, &up.json["id"]).await;
    let etag = shop.etag(&path, token).await;
    let off = shop.send("DELETE", &path, token, Value::Null, &[("if-match", &etag)]).await;
    assert_eq!(off.status, 202, "{}", off.text);
    done(shop, token, &off.json["id"]).await;
}

async fn done(shop: &Shop, token: &str, id: &Value) {
    for _ in 0..600 {
        let operation = shop.operation(id, token).await;
        if operation["ended_at"].is_string() {
            assert_eq!(operation["status"], "succeeded", "{operation}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("{id} never ends");
}

/// Every commit on the branch passes validation.
fn valid_at_every_commit(bare: &std::path::Path) {
    let commits = git(bare, &["rev-list", "main"]).unwrap();
    for commit in commits.lines() {
        let folder = tempfile::tempdir().unwrap();
        let clone = folder.path().join("at");
        git(folder.path(), &["clone", "-q", bare.to_str().unwrap(), "at"]).unwrap();
        git(&clone, &["checkout", "-q", commit]).unwrap();
        let told = crate::support::program::Program::with("validate .").in_folder(&clone).run();
        assert_eq!(told.code, 0, "{commit}: {}", told.shown());
    }
}
