//! A cluster and its database server as one.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;
use sqlx::Connection as _;
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tenantry::apply::Targets;
use tenantry::model::Resource;
use tenantry::model::ResourceId;
use tenantry::model::cluster::DatabaseServer;
use tenantry::model::resource::OnDelete;
use tenantry::model::resource::Stage;
use tenantry::plan::Action;
use tenantry::plan::Cause;
use tenantry::plan::Done;
use tenantry::plan::Outcome;
use tenantry::plan::Retry;
use tenantry::sandbox::postgres::PrivatePostgres;

use super::world::World;
use super::world::worlds;
use crate::support::postgres;

struct Both {
    world: World,
    server: &'static PrivatePostgres,
    targets: Targets,
}

async fn both() -> Vec<Both> {
    let Some(server) = postgres::shared().await else { return Vec::new() };
    let mut both = Vec::new();
    for world in worlds().await {
        let options: PgConnectOptions = server.url("postgres").parse().unwrap();
        let url = server.url("postgres");
        let password = url.split_once("//postgres:").unwrap().1.split_once('@').unwrap().0;
        let admin = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "admin"},
            "stringData": {"username": options.get_username(), "password": password}});
        let secrets = format!("/api/v1/namespaces/{}/secrets", world.namespace);
        world.kubectl.create(&secrets, &admin).await;
        let place: DatabaseServer = serde_json::from_value(json!({
            "host": "127.0.0.1", "port": server.port(),
            "adminSecret": {"namespace": world.namespace, "name": "admin"},
        }))
        .unwrap();
        let targets = Targets::new(world.cluster.clone(), Some(&place));
        both.push(Both { world, server, targets });
    }
    both
}

impl Both {
    fn credentials(&self, rotation: &str) -> Resource {
        let annotations = json!({"tenantry.dev/generate": r#"{"password": 24}"#, "tenantry.dev/rotation": rotation});
        self.world.resource("v1", "Secret", "db", json!({"metadata": {"annotations": annotations}}))
    }

    fn database(&self) -> Resource {
        let name = format!("targets_{}", self.world.unit);
        let spec = json!({
            "database": name, "role": name, "login": true,
            "secret": {"namespace": self.world.namespace, "name": "db", "key": "password"},
        });
        let id = ResourceId::new("tenantry.dev", "Database", &self.world.namespace, "db");
        Resource::new(id, None, Stage::Database, OnDelete::Keep, spec)
    }

    async fn create(&self, resource: Resource) -> Done {
        let action = Action::Create { resource: Arc::new(resource), cause: Cause::Asked };
        self.targets.apply(&self.world.unit, &action).await
    }

    async fn password(&self) -> String {
        let secret = self.world.get("secrets", "db").await;
        let password = secret["data"]["password"].as_str().unwrap();
        String::from_utf8(BASE64.decode(password).unwrap()).unwrap()
    }

    async fn log_in(&self, password: &str) -> Result<PgConnection, sqlx::Error> {
        let name = format!("targets_{}", self.world.unit);
        let options: PgConnectOptions = self.server.url("postgres").parse().unwrap();
        let options = options.username(&name).password(password).database(&name);
        PgConnection::connect_with(&options).await
    }
}

#[tokio::test]
async fn a_database_gets_the_password_of_its_secret() {
    for both in both().await {
        let early = both.create(both.database()).await;
        assert!(
            matches!(early.outcome, Outcome::Failed { retry: Retry::Later, .. }),
            "{}",
            early.outcome
        );

        assert_eq!(both.create(both.credentials("1")).await.outcome, Outcome::Created);
        let made = both.create(both.database()).await;
        assert_eq!(made.outcome, Outcome::Created);
        both.log_in(&both.password().await).await.unwrap();

        let observed = both.targets.observe(&both.world.unit).await.unwrap();
        assert_eq!(observed.live.get(&made.id), made.live.as_ref());
        assert_eq!(observed.live.len(), 2);
        assert_eq!(observed.databases_away, None);
    }
}

#[tokio::test]
async fn a_rotated_password_reaches_the_database_at_once() {
    for both in both().await {
        both.create(both.credentials("1")).await;
        both.create(both.database()).await;
        let first = both.password().await;
        assert_eq!(both.create(both.credentials("2")).await.outcome, Outcome::Changed);
        let second = both.password().await;
        assert_ne!(first, second);
        both.log_in(&second).await.unwrap();
        assert!(both.log_in(&first).await.is_err());
    }
}

#[tokio::test]
async fn a_rotation_cut_short_before_the_database_is_continued() {
    for both in both().await {
        both.create(both.credentials("1")).await;
        both.create(both.database()).await;
        // As if the process had ended between the Secret and the role.
        both.world.apply(&both.credentials("2")).await;
        assert!(both.log_in(&both.password().await).await.is_err());
        assert_eq!(both.create(both.credentials("2")).await.outcome, Outcome::Unchanged);
        both.log_in(&both.password().await).await.unwrap();
    }
}

#[tokio::test]
async fn a_database_is_deleted_and_no_longer_observed() {
    for both in both().await {
        both.create(both.credentials("1")).await;
        let made = both.create(both.database()).await;
        let uid = made.live.unwrap().uid;
        let delete = Action::Delete { id: made.id.clone(), api_version: "".into(), uid };
        let done = both.targets.apply(&both.world.unit, &delete).await;
        assert_eq!(done.outcome, Outcome::Deleted);
        let observed = both.targets.observe(&both.world.unit).await.unwrap();
        assert!(!observed.live.contains_key(&made.id));
    }
}

#[tokio::test]
async fn databases_that_cannot_be_looked_at_are_not_absent() {
    for both in both().await {
        both.create(both.credentials("1")).await;
        let made = both.create(both.database()).await;
        both.targets.look_at_databases().await.unwrap();
        both.world.kubectl.delete(&both.world.path("secrets", "admin")).await;
        let observed = both.targets.observe(&both.world.unit).await.unwrap();
        assert!(observed.databases_away.is_some());
        assert!(observed.live.contains_key(&made.id), "what was known stays known");
    }
}

#[tokio::test]
async fn a_write_that_the_server_fails_makes_the_databases_looked_at_now() {
    for both in both().await {
        both.create(both.credentials("1")).await;
        let doubt =
            || tokio::time::timeout(Duration::from_millis(50), both.targets.databases_in_doubt());
        assert_eq!(both.create(both.database()).await.outcome, Outcome::Created);
        assert!(doubt().await.is_err());
        both.world.kubectl.delete(&both.world.path("secrets", "admin")).await;
        let failed = both.create(both.database()).await.outcome;
        assert!(matches!(failed, Outcome::Failed { retry: Retry::Later, .. }), "{failed}");
        assert!(doubt().await.is_ok());
    }
}

#[tokio::test]
async fn what_fails_is_an_outcome_that_says_when_to_try_again() {
    for both in both().await {
        let unknown =
            both.world.resource("apps/v1", "Deployment", "web", json!({"spec": {"replica": 1}}));
        let failed = both.create(unknown).await;
        assert!(matches!(failed.outcome, Outcome::Failed { retry: Retry::NextCommit, .. }));
        let without = Targets::new(both.world.cluster.clone(), None);
        let action = Action::Create { resource: Arc::new(both.database()), cause: Cause::Asked };
        let done = without.apply(&both.world.unit, &action).await;
        assert!(done.outcome.to_string().contains("`databaseServer`"), "{}", done.outcome);
    }
}
