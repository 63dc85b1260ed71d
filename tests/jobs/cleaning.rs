//! What is forgotten, and what is not.

use serde_json::json;
use tenantry::outbox;
use tenantry::outbox::Kind;

use super::World;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mail_said_is_forgotten_and_that_it_was_sent_is_not() {
    let Some(world) = World::open().await else { return };
    let daemon = world.daemon("daemon", &tenantry::jobs::of_a_business());
    let put = async |kind, key| {
        let mut db = world.pool().acquire().await.unwrap();
        let payload = json!({ "to": "ada@example.com" });
        outbox::put(&mut db, kind, key, &payload, world.now()).await.unwrap()
    };
    assert!(put(Kind::Mail, "mail:a").await && put(Kind::Commit, "commit:a").await);
    sqlx::query("update outbox set done_at = created_at").execute(world.pool()).await.unwrap();
    assert!(put(Kind::Mail, "mail:waits").await);
    assert_eq!(daemon.by_hand("clean-outbox").await.unwrap().summary, "nothing to forget");
    world.pass(91 * 24 * 3600);
    assert_eq!(daemon.by_hand("clean-outbox").await.unwrap().summary, "2 rows forgotten");
    let left: Vec<(String, serde_json::Value)> =
        sqlx::query_as("select key, payload from outbox order by key")
            .fetch_all(world.pool())
            .await
            .unwrap();
    let waits = json!({ "to": "ada@example.com" });
    assert_eq!(left, [("mail:a".to_owned(), json!({})), ("mail:waits".to_owned(), waits)]);
    assert!(!put(Kind::Mail, "mail:a").await, "the same fact is not told again");
}
