//! Generated secrets: made once in effect, kept, rotated by a commit, and never shown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;
use tenantry::model::Resource;
use tenantry::model::resource::SecretKey;
use tenantry::plan::Outcome;
use tenantry::sandbox::Fault;

use super::world::World;
use super::world::at_once;
use super::world::worlds;

fn credentials(world: &World, rotation: &str) -> Resource {
    let annotations =
        json!({"tenantry.dev/generate": r#"{"password": 32}"#, "tenantry.dev/rotation": rotation});
    let texts = json!({"url": "postgres://acme:$(password)@db/acme", "user": "acme"});
    let body =
        json!({"metadata": {"annotations": annotations}, "type": "Opaque", "stringData": texts});
    world.resource("v1", "Secret", "db", body)
}

async fn value(world: &World, key: &str) -> String {
    let secret = world.get("secrets", "db").await;
    let data = secret["data"][key].as_str().unwrap_or_default().to_owned();
    String::from_utf8(BASE64.decode(data).unwrap()).unwrap()
}

#[tokio::test]
async fn a_password_is_made_once_and_kept() {
    for world in worlds().await {
        let created = world.apply(&credentials(&world, "1")).await;
        assert_eq!(created.outcome, Outcome::Created);
        let password = value(&world, "password").await;
        assert_eq!(password.len(), 32);
        assert_eq!(value(&world, "url").await, format!("postgres://acme:{password}@db/acme"));
        assert_eq!(world.apply(&credentials(&world, "1")).await.outcome, Outcome::Unchanged);
        assert_eq!(value(&world, "password").await, password);
        assert_eq!(world.seen(&created.id).await, created.live);

        let place = SecretKey {
            namespace: world.namespace.clone(),
            name: "db".into(),
            key: "password".into(),
        };
        assert_eq!(world.cluster.secret(&place).await.unwrap().expose(), password);
    }
}

#[tokio::test]
async fn twenty_who_race_agree_on_one_password() {
    for world in worlds().await {
        let daemons: Vec<_> = {
            let mut daemons = Vec::new();
            for _ in 0..20 {
                daemons.push(world.another_daemon().await);
            }
            daemons
        };
        let (unit, secret) = (world.unit.clone(), credentials(&world, "1"));
        let outcomes = at_once(20, |n| {
            let (daemon, unit, secret) = (daemons[n].clone(), unit.clone(), secret.clone());
            async move {
                let done = daemon.apply(&unit, &secret, &[]).await.unwrap();
                // What the pods would have been given at that moment.
                let place = SecretKey {
                    namespace: secret.id.namespace.to_string(),
                    name: "db".into(),
                    key: "password".into(),
                };
                (done.outcome, daemon.secret(&place).await.unwrap().expose().to_owned())
            }
        })
        .await;
        let password = value(&world, "password").await;
        for (outcome, seen) in &outcomes {
            assert_eq!(*seen, password, "{outcome}");
        }
        let created = outcomes.iter().filter(|(outcome, _)| *outcome == Outcome::Created).count();
        assert!(created <= 1, "{created} say that they created it");
    }
}

#[tokio::test]
async fn a_run_that_was_cut_short_after_the_empty_secret_is_continued() {
    for world in worlds().await {
        let shell = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}});
        let collection = format!("/api/v1/namespaces/{}/secrets", world.namespace);
        world.kubectl.create(&collection, &shell).await;
        world.apply(&credentials(&world, "1")).await;
        assert_eq!(value(&world, "password").await.len(), 32);
    }
}

#[tokio::test]
async fn a_rotation_makes_another_password_once() {
    for world in worlds().await {
        world.apply(&credentials(&world, "1")).await;
        let first = value(&world, "password").await;
        assert_eq!(world.apply(&credentials(&world, "2")).await.outcome, Outcome::Changed);
        let second = value(&world, "password").await;
        assert_ne!(first, second);
        assert_eq!(value(&world, "url").await, format!("postgres://acme:{second}@db/acme"));
        assert_eq!(world.apply(&credentials(&world, "2")).await.outcome, Outcome::Unchanged);
        assert_eq!(value(&world, "password").await, second);
    }
}

#[tokio::test]
async fn a_password_that_a_person_set_is_kept_and_quoted() {
    for world in worlds().await {
        let created = world.apply(&credentials(&world, "1")).await.live.unwrap();
        let body = json!({"data": {"password": BASE64.encode("set-by-hand")}});
        world.kubectl.patch(&world.path("secrets", "db"), "kubectl-edit", body).await;
        let id = credentials(&world, "1").id;
        assert_ne!(world.seen(&id).await.unwrap().owned, created.owned);
        world.apply(&credentials(&world, "1")).await;
        assert_eq!(value(&world, "password").await, "set-by-hand");
        assert_eq!(value(&world, "url").await, "postgres://acme:set-by-hand@db/acme");
        assert_eq!(world.seen(&id).await.unwrap().owned, created.owned);
    }
}

#[tokio::test]
async fn a_dry_run_of_a_secret_shows_no_value() {
    for world in worlds().await {
        let new = world.cluster.dry_run(&world.unit, &credentials(&world, "1")).await.unwrap();
        assert!(new.before.is_none());
        world.apply(&credentials(&world, "1")).await;
        let password = value(&world, "password").await;
        let same = world.cluster.dry_run(&world.unit, &credentials(&world, "1")).await.unwrap();
        assert_eq!(same.before.as_ref(), Some(&same.after));
        let other = world.cluster.dry_run(&world.unit, &credentials(&world, "2")).await.unwrap();
        assert_ne!(other.before.as_ref().unwrap()["data"], other.after["data"]);
        for preview in [new, same, other] {
            let shown = format!("{preview:?}");
            assert!(
                !shown.contains(&password) && !shown.contains(&BASE64.encode(&password)),
                "{shown}"
            );
            assert!(shown.contains("(hidden"), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_refusal_of_a_secret_shows_no_value() {
    for world in worlds().await {
        let body = json!({"type": "kubernetes.io/tls", "stringData": {"tls.crt": "hunter2"}});
        if let Some(sandbox) = &world.sandbox {
            let message = "data[tls.crt]: Invalid value: hunter2".to_owned();
            let mut fault = Fault::answers(422).on_resource("secrets");
            fault.message = Some(message);
            sandbox.faults().add(fault);
        }
        let error = world.refused(&world.resource("v1", "Secret", "tls", body)).await;
        let shown = format!("{error} {error:?}");
        let encoded = BASE64.encode("hunter2");
        assert!(!shown.contains("hunter2") && !shown.contains(&encoded), "{shown}");
        assert!(shown.contains("422"), "{shown}");
    }
}
