//! Databases on a real PostgreSQL: made, kept, shut, removed, and never somebody else's.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use jiff::SignedDuration;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::json;
use sqlx::AssertSqlSafe;
use sqlx::Connection as _;
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tenantry::apply::ApplyError;
use tenantry::apply::Databases;
use tenantry::apply::Secret;
use tenantry::apply::database::Admin;
use tenantry::apply::database::statements::identifier;
use tenantry::apply::database::statements::literal;
use tenantry::model::Resource;
use tenantry::model::ResourceId;
use tenantry::model::UnitName;
use tenantry::model::cluster::DatabaseServer;
use tenantry::model::resource::OnDelete;
use tenantry::model::resource::Stage;
use tenantry::plan::Aside;
use tenantry::plan::Done;
use tenantry::plan::Health;
use tenantry::plan::Live;
use tenantry::plan::Outcome;
use tenantry::plan::Retry;
use tenantry::sandbox::postgres::PrivatePostgres;

use crate::support::postgres;

/// A tenant on the shared server.
struct World {
    server: &'static PrivatePostgres,
    databases: Databases,
    unit: UnitName,
    name: String,
}

async fn world() -> Option<World> {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let server = postgres::shared().await?;
    let url: PgConnectOptions = server.url("postgres").parse().unwrap();
    let name = format!("db{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let databases = connect(server, url.get_username(), &password_of(server));
    Some(World { server, databases, unit: name.parse().unwrap(), name })
}

fn password_of(server: &PrivatePostgres) -> String {
    let url = server.url("postgres");
    let password = url.split_once("//postgres:").unwrap().1.split_once('@').unwrap().0;
    password.to_owned()
}

fn connect(server: &PrivatePostgres, user: &str, password: &str) -> Databases {
    let place = serde_json::from_value(
        json!({"host": "127.0.0.1", "port": server.port(), "adminSecret": {"namespace": "x", "name": "y"}}),
    );
    let server: DatabaseServer = place.unwrap();
    Databases::new(&server, Admin::Known { user: user.into(), password: secret(password) })
}

fn secret(text: &str) -> Secret {
    Secret::new(text.into())
}

impl World {
    fn id(&self) -> ResourceId {
        ResourceId::new("tenantry.dev", "Database", &self.name, "db")
    }

    fn resource(&self, change: &serde_json::Value) -> Resource {
        let mut spec = json!({
            "database": self.name, "role": self.name, "schemas": ["main", "audit"], "extensions": ["pgcrypto"],
            "connections": 20, "login": true,
            "secret": {"namespace": self.name, "name": "db", "key": "password"},
        });
        for (key, value) in change.as_object().unwrap() {
            spec[key] = value.clone();
        }
        Resource::new(self.id(), None, Stage::Database, OnDelete::Keep, spec)
    }

    async fn apply(&self, change: serde_json::Value) -> Done {
        self.try_apply(change).await.unwrap()
    }

    async fn try_apply(&self, change: serde_json::Value) -> Result<Done, ApplyError> {
        self.databases.apply(&self.unit, &self.resource(&change), &secret("first-password")).await
    }

    async fn seen(&self) -> Option<Live> {
        let found = self.databases.observe().await.unwrap();
        found.get(&self.unit)?.get(&self.id()).cloned()
    }

    async fn admin(&self, database: &str) -> PgConnection {
        let options: PgConnectOptions = self.server.url("postgres").parse().unwrap();
        PgConnection::connect_with(&options.database(database)).await.unwrap()
    }

    async fn log_in(&self, password: &str) -> Result<PgConnection, sqlx::Error> {
        let options: PgConnectOptions = self.server.url("postgres").parse().unwrap();
        let options = options.username(&self.name).password(password).database(&self.name);
        PgConnection::connect_with(&options).await
    }

    async fn run(&self, sql: &str) {
        let mut admin = self.admin("postgres").await;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
    }

    async fn exists(&self, sql: &str) -> bool {
        let mut admin = self.admin("postgres").await;
        let sql = AssertSqlSafe(format!("select exists(select {sql})"));
        let (exists,): (bool,) = sqlx::query_as(sql).fetch_one(&mut admin).await.unwrap();
        exists
    }

    async fn is_there(&self) -> (bool, bool) {
        let role = self.exists(&format!("from pg_roles where rolname = '{}'", self.name)).await;
        let database = format!("from pg_database where datname = '{}'", self.name);
        (role, self.exists(&database).await)
    }
}

#[tokio::test]
async fn a_database_is_made_for_its_role_alone() {
    let Some(world) = world().await else { return };
    assert_eq!(world.seen().await, None);
    let done = world.apply(json!({})).await;
    assert_eq!(done.outcome, Outcome::Created);
    let live = done.live.unwrap();
    assert_eq!(live.health, Health::Ready);
    assert_eq!(live.rendered, Some(world.resource(&json!({})).digest));
    assert_eq!(world.seen().await, Some(live.clone()));

    let mut tenant = world.log_in("first-password").await.unwrap();
    sqlx::raw_sql("create table main.t (x int); create extension if not exists pgcrypto; select gen_random_uuid()")
        .execute(&mut tenant)
        .await
        .unwrap();
    let (limit,): (i32,) =
        sqlx::query_as("select rolconnlimit from pg_roles where rolname = current_user")
            .fetch_one(&mut tenant)
            .await
            .unwrap();
    assert_eq!(limit, 20);

    let again = world.apply(json!({})).await;
    assert_eq!(again.outcome, Outcome::Unchanged);
    assert_eq!(again.live, Some(live));
}

#[tokio::test]
async fn one_tenant_cannot_enter_the_database_of_another() {
    let (Some(one), Some(other)) = (world().await, world().await) else { return };
    one.apply(json!({})).await;
    other.apply(json!({})).await;
    let options: PgConnectOptions = one.server.url("postgres").parse().unwrap();
    let options = options.username(&other.name).password("first-password").database(&one.name);
    let error = PgConnection::connect_with(&options).await.unwrap_err();
    assert!(error.to_string().contains("permission denied for database"), "{error}");
}

#[tokio::test]
async fn neither_the_password_nor_what_is_kept_of_it_is_shown_or_logged() {
    let Some(world) = world().await else { return };
    let done = world.apply(json!({})).await;
    assert!(!format!("{done:?}").contains("first-password"));
    let log = std::fs::read_to_string(world.server.directory().join("log")).unwrap_or_default();
    assert!(!log.contains("first-password"));
    let comments = "from pg_shdescription where description like '%SCRAM%' or description like '%first-password%'";
    assert!(!world.exists(comments).await);
}

#[tokio::test]
async fn another_password_in_the_secret_becomes_that_of_the_role() {
    let Some(world) = world().await else { return };
    let before = world.apply(json!({})).await.live.unwrap();
    let done = world
        .databases
        .apply(&world.unit, &world.resource(&json!({})), &secret("second-password"))
        .await
        .unwrap();
    assert_eq!(done.outcome, Outcome::Changed);
    assert!(world.log_in("first-password").await.is_err());
    world.log_in("second-password").await.unwrap();
    assert_eq!(done.live.unwrap().owned, before.owned, "a rotation is no drift");
}

#[tokio::test]
async fn a_role_follows_its_secret_without_being_applied() {
    let Some(world) = world().await else { return };
    world.apply(json!({})).await;
    let read = async |key: String| {
        assert_eq!(key, "password");
        Ok(secret("third-password"))
    };
    assert!(world.databases.follow_secret(&world.name, "db", read).await.unwrap());
    world.log_in("third-password").await.unwrap();
    assert!(!world.databases.follow_secret(&world.name, "db", read).await.unwrap());
    let nobody = async |_: String| panic!("nobody uses this Secret");
    assert!(!world.databases.follow_secret(&world.name, "other", nobody).await.unwrap());
}

#[tokio::test]
async fn a_suspended_role_is_sent_out_and_let_in_again() {
    let Some(world) = world().await else { return };
    world.apply(json!({})).await;
    let mut inside = world.log_in("first-password").await.unwrap();
    assert_eq!(world.apply(json!({"login": false})).await.outcome, Outcome::Changed);
    assert!(sqlx::raw_sql("select 1").execute(&mut inside).await.is_err());
    assert!(world.log_in("first-password").await.is_err());
    assert_eq!(world.apply(json!({"login": false})).await.outcome, Outcome::Unchanged);
    world.apply(json!({})).await;
    world.log_in("first-password").await.unwrap();
}

#[tokio::test]
async fn a_suspension_cut_short_at_any_point_is_continued() {
    for statements in 0..3 {
        let Some(world) = world().await else { return };
        world.apply(json!({})).await;
        let mut inside = world.log_in("first-password").await.unwrap();
        let suspended = world.resource(&json!({"login": false}));
        let password = secret("first-password");
        let _ = world.databases.apply_up_to(&world.unit, &suspended, &password, statements).await;
        world.apply(json!({"login": false})).await;
        assert!(sqlx::raw_sql("select 1").execute(&mut inside).await.is_err(), "{statements}");
        assert_eq!(world.apply(json!({"login": false})).await.outcome, Outcome::Unchanged);
    }
}

#[tokio::test]
async fn whatever_somebody_changes_is_seen_and_put_back() {
    let Some(world) = world().await else { return };
    let before = world.apply(json!({})).await.live.unwrap();
    let name = &world.name;
    for change in [
        format!("alter role {name} connection limit 500"),
        format!("alter role {name} nologin"),
        format!("alter role {name} superuser"),
        format!("alter role {name} password 'mine'"),
        format!("grant connect on database {name} to public"),
        format!("alter database {name} owner to postgres"),
        format!("alter database {name} with allow_connections false"),
        format!("comment on database {name} is null"),
        format!("comment on role {name} is null"),
    ] {
        world.run(&change).await;
        let drifted = world.seen().await.expect("it is still known");
        assert_ne!(drifted.owned, before.owned, "{change}");
        assert_eq!(world.apply(json!({})).await.outcome, Outcome::Changed, "{change}");
        let after = world.seen().await.unwrap();
        assert_eq!((after.owned, after.rendered), (before.owned, before.rendered), "{change}");
        world.log_in("first-password").await.unwrap();
    }
}

#[tokio::test]
async fn what_is_missing_inside_is_put_back_when_it_is_applied_again() {
    let Some(world) = world().await else { return };
    world.apply(json!({})).await;
    let mut inside = world.admin(&world.name).await;
    let damage = "drop schema audit; alter schema main owner to postgres; drop extension pgcrypto; grant usage on schema public to public";
    sqlx::raw_sql(damage).execute(&mut inside).await.unwrap();
    assert_eq!(world.apply(json!({})).await.outcome, Outcome::Changed);
    assert_eq!(world.apply(json!({})).await.outcome, Outcome::Unchanged);
}

#[tokio::test]
async fn a_run_cut_short_after_any_statement_is_continued() {
    let mut statements = 0;
    loop {
        let Some(world) = world().await else { return };
        let resource = world.resource(&json!({}));
        let password = secret("first-password");
        let cut = world.databases.apply_up_to(&world.unit, &resource, &password, statements).await;
        if cut.is_ok() {
            break;
        }
        let half = world.seen().await;
        assert_eq!(half.is_some(), statements > 0, "after {statements}");
        assert!(half.is_none_or(|live| live.rendered.is_none() && !live.health.is_ready()));
        let done = world.apply(json!({})).await;
        assert!(matches!(done.outcome, Outcome::Created | Outcome::Changed), "after {statements}");
        assert_eq!(world.apply(json!({})).await.outcome, Outcome::Unchanged, "after {statements}");
        world.log_in("first-password").await.unwrap();
        statements += 1;
    }
    assert!(statements > 5, "there were only {statements}");
}

#[tokio::test]
async fn a_removal_cut_short_at_any_point_is_continued() {
    for made in [1, 2, 3, usize::MAX] {
        for removed in 0..3 {
            let Some(world) = world().await else { return };
            let resource = world.resource(&json!({}));
            let password = secret("first-password");
            let _ = world.databases.apply_up_to(&world.unit, &resource, &password, made).await;
            let live = world.seen().await.unwrap();
            let _ = world.databases.delete_up_to(&world.id(), &live.uid, removed).await;
            if let Some(left) = world.seen().await {
                assert_eq!(left.uid, live.uid);
                world.databases.delete(&world.id(), &left.uid).await.unwrap();
            }
            assert_eq!(world.is_there().await, (false, false), "made {made}, removed {removed}");
            assert_eq!(world.seen().await, None);
        }
    }
}

#[tokio::test]
async fn a_database_in_use_is_removed_with_its_role() {
    let Some(world) = world().await else { return };
    let live = world.apply(json!({})).await.live.unwrap();
    let mut inside = world.log_in("first-password").await.unwrap();
    sqlx::raw_sql("create table main.t (x int)").execute(&mut inside).await.unwrap();
    let done = world.databases.delete(&world.id(), &live.uid).await.unwrap();
    assert_eq!(done.outcome, Outcome::Deleted);
    assert_eq!(world.is_there().await, (false, false));
    world.databases.delete(&world.id(), &live.uid).await.unwrap();
}

/// Now, and in thirty days.
fn times() -> (Timestamp, Timestamp) {
    let now: Timestamp = "2026-11-24T09:00:00Z".parse().unwrap();
    (now, now + SignedDuration::from_hours(24 * 30))
}

impl World {
    /// Writes a line that has to be there when the database comes back.
    async fn write(&self) {
        let mut inside = self.admin(&self.name).await;
        let sql = "create table if not exists main.t (x int); insert into main.t values (7)";
        sqlx::raw_sql(sql).execute(&mut inside).await.unwrap();
    }

    async fn what_was_written_is_there(&self) {
        let mut tenant = self.admin(&self.name).await;
        let (x,): (i32,) =
            sqlx::query_as("select x from main.t").fetch_one(&mut tenant).await.unwrap();
        assert_eq!(x, 7);
    }
}

#[tokio::test]
async fn a_database_set_aside_is_reached_by_nobody_and_comes_back_with_what_is_in_it() {
    let Some(world) = world().await else { return };
    let live = world.apply(json!({"retentionDays": 30})).await.live.unwrap();
    assert_eq!(live.aside, Some(Aside::For(SignedDuration::from_hours(24 * 30))));
    world.write().await;
    let mut inside = world.log_in("first-password").await.unwrap();
    let done = world.databases.set_aside(&world.id(), &live.uid, times()).await.unwrap();
    assert_eq!(done.live.as_ref().unwrap().set_aside(), Some(times().1));
    assert_eq!(world.seen().await, done.live);
    assert_eq!(world.is_there().await, (true, false), "the role stays, the name is free");
    assert!(sqlx::raw_sql("select 1").execute(&mut inside).await.is_err());
    let aside = format!(
        "from pg_database join pg_shdescription on objoid = pg_database.oid where not datallowconn and \
         datname like '{0}_aside_20261124_%' and description like '%\"id\":\"{0}/db\"%\"database\":\"{0}\"%'",
        world.name
    );
    assert!(world.exists(&aside).await, "its name and its comment say what it is");

    let again = world.databases.set_aside(&world.id(), &live.uid, (times().1, times().1)).await;
    assert_eq!(again.unwrap().live, done.live, "what was promised is not promised anew");

    let back = world.apply(json!({"retentionDays": 30})).await;
    assert_eq!(back.outcome, Outcome::Changed);
    assert_eq!(back.live.as_ref().unwrap().set_aside(), None);
    world.what_was_written_is_there().await;
    world.log_in("first-password").await.unwrap();
    assert_eq!(world.apply(json!({"retentionDays": 30})).await.outcome, Outcome::Unchanged);
}

#[tokio::test]
async fn setting_aside_and_taking_back_are_continued_wherever_they_are_cut_short() {
    for set_aside in 0..=4 {
        let mut taken_back = 0;
        loop {
            let Some(world) = world().await else { return };
            let live = world.apply(json!({})).await.live.unwrap();
            world.write().await;
            let (id, uid) = (world.id(), &live.uid);
            let _ = world.databases.set_aside_up_to(&id, uid, times(), set_aside).await;
            let half = world.seen().await.expect("it is still known");
            assert_eq!(half.set_aside().is_some(), set_aside == 4, "it is aside at the very end");
            let resource = world.resource(&json!({}));
            let password = secret("first-password");
            let cut = world.databases.apply_up_to(&world.unit, &resource, &password, taken_back);
            let whole = cut.await.is_ok();
            // Whatever was done by halves: it can be set aside, and then have its end or come back.
            let done = world.databases.set_aside(&id, uid, times()).await.unwrap();
            assert!(done.live.unwrap().set_aside().is_some(), "{set_aside} {taken_back}");
            if taken_back % 2 == 0 {
                world.apply(json!({})).await;
                world.what_was_written_is_there().await;
                world.log_in("first-password").await.unwrap();
                assert_eq!(world.apply(json!({})).await.outcome, Outcome::Unchanged);
            } else {
                world.databases.delete(&id, uid).await.unwrap();
                assert_eq!(world.seen().await, None);
                let left = format!("from pg_database where datname like '{}_aside%'", world.name);
                assert!(!world.exists(&left).await);
                assert_eq!(world.is_there().await, (false, false));
            }
            if whole {
                break;
            }
            taken_back += 1;
        }
    }
}

#[tokio::test]
async fn what_was_taken_back_by_halves_and_is_set_aside_again_has_its_whole_time() {
    for taken_back in 1..=3 {
        let Some(world) = world().await else { return };
        let live = world.apply(json!({})).await.live.unwrap();
        let (id, uid) = (world.id(), &live.uid);
        world.databases.set_aside(&id, uid, times()).await.unwrap();
        let password = secret("first-password");
        let resource = world.resource(&json!({}));
        let _ = world.databases.apply_up_to(&world.unit, &resource, &password, taken_back).await;
        assert_eq!(world.seen().await.unwrap().set_aside(), None, "{taken_back}");
        let later = (times().1, times().1 + SignedDuration::from_hours(24 * 30));
        let done = world.databases.set_aside(&id, uid, later).await.unwrap();
        assert_eq!(done.live.unwrap().set_aside(), Some(later.1), "{taken_back}");
    }
}

#[tokio::test]
async fn what_is_not_ours_is_neither_set_aside_nor_overwritten_by_what_comes_back() {
    let Some(world) = world().await else { return };
    let live = world.apply(json!({})).await.live.unwrap();
    world.databases.set_aside(&world.id(), "another-uid", times()).await.unwrap();
    assert_eq!(world.is_there().await, (true, true));
    world.databases.set_aside(&world.id(), &live.uid, times()).await.unwrap();
    world.run(&format!("create database {}", world.name)).await;
    let error = world.try_apply(json!({})).await.unwrap_err();
    assert!(error.to_string().contains("exists and is not ours"), "{error}");
    assert!(world.seen().await.unwrap().set_aside().is_some(), "it waits, untouched");
    world.run(&format!("drop database {}", world.name)).await;
    world.apply(json!({})).await;
}

#[tokio::test]
async fn an_admin_who_is_no_superuser_sets_aside_and_takes_back() {
    let Some(world) = world().await else { return };
    let admin = format!("{}_admin", world.name);
    world.run(&format!("create role {admin} login createdb createrole password 'admin'")).await;
    let databases = connect(world.server, &admin, "admin");
    let world = World { databases, ..world };
    let live = world.apply(json!({})).await.live.unwrap();
    let _inside = world.log_in("first-password").await.unwrap();
    let done = world.databases.set_aside(&world.id(), &live.uid, times()).await.unwrap();
    assert!(done.live.unwrap().set_aside().is_some());
    assert_eq!(world.apply(json!({})).await.live.unwrap().set_aside(), None);
    world.log_in("first-password").await.unwrap();
}

#[tokio::test]
async fn another_database_of_the_same_name_is_not_removed() {
    let Some(world) = world().await else { return };
    let old = world.apply(json!({})).await.live.unwrap();
    world.databases.delete(&world.id(), &old.uid).await.unwrap();
    world.apply(json!({})).await;
    world.databases.delete(&world.id(), &old.uid).await.unwrap();
    assert_eq!(world.is_there().await, (true, true));
}

#[tokio::test]
async fn what_is_not_ours_is_neither_changed_nor_removed() {
    let Some(world) = world().await else { return };
    let name = &world.name;
    world.run(&format!("create role {name} login")).await;
    let error = world.try_apply(json!({})).await.unwrap_err();
    assert!(
        error.to_string().contains(&format!("the role `{name}` exists and is not ours")),
        "{error}"
    );
    assert_eq!(error.retry(), Retry::NextCommit);
    world.run(&format!("drop role {name}")).await;

    world.run(&format!("create database {name}")).await;
    let error = world.try_apply(json!({})).await.unwrap_err();
    assert!(
        error.to_string().contains(&format!("the database `{name}` exists and is not ours")),
        "{error}"
    );
    assert_eq!(world.is_there().await, (false, true), "no role is made in vain");
    for ours in ["postgres", "template0", "template1"] {
        assert!(world.try_apply(json!({"database": ours})).await.is_err());
    }
    assert!(world.try_apply(json!({"role": "postgres"})).await.is_err());
}

#[tokio::test]
async fn the_database_of_another_unit_is_not_taken() {
    let (Some(one), Some(other)) = (world().await, world().await) else { return };
    one.apply(json!({})).await;
    let error = other.try_apply(json!({"database": one.name})).await.unwrap_err();
    assert!(error.to_string().contains("is not ours"), "{error}");
    let error = other.try_apply(json!({"role": one.name})).await.unwrap_err();
    assert!(error.to_string().contains("is not ours"), "{error}");
}

#[tokio::test]
async fn a_database_is_not_renamed_in_silence() {
    let Some(world) = world().await else { return };
    world.apply(json!({})).await;
    for (key, thing) in [("database", "database"), ("role", "role")] {
        let error = world.try_apply(json!({key: format!("{}_new", world.name)})).await.unwrap_err();
        assert!(
            error.to_string().contains(&format!("the {thing} was made as `{}`", world.name)),
            "{error}"
        );
        assert_eq!(error.retry(), Retry::NextCommit);
    }
}

#[tokio::test]
async fn a_database_that_is_let_go_stays_and_is_nobodys() {
    let Some(world) = world().await else { return };
    world.apply(json!({})).await;
    for _ in 0..2 {
        let done = world.databases.orphan(&world.id()).await.unwrap();
        assert_eq!(done.outcome, Outcome::Orphaned);
    }
    assert_eq!(world.seen().await, None);
    world.log_in("first-password").await.unwrap();
    assert!(world.try_apply(json!({})).await.is_err());
}

#[tokio::test]
async fn an_extension_that_is_not_installed_waits_for_a_commit() {
    let Some(world) = world().await else { return };
    let error = world.try_apply(json!({"extensions": ["no_such_thing"]})).await.unwrap_err();
    assert_eq!(error.retry(), Retry::NextCommit, "{error}");
    assert!(error.to_string().contains("adding the extension `no_such_thing`"), "{error}");
    world.apply(json!({})).await;
}

#[tokio::test]
async fn an_admin_who_is_no_superuser_is_enough() {
    let Some(world) = world().await else { return };
    let admin = format!("{}_admin", world.name);
    world.run(&format!("create role {admin} login createdb createrole password 'admin'")).await;
    let databases = connect(world.server, &admin, "admin");
    let world = World { databases, ..world };
    assert_eq!(world.apply(json!({})).await.outcome, Outcome::Created);
    assert_eq!(world.apply(json!({})).await.outcome, Outcome::Unchanged);
    world.log_in("first-password").await.unwrap();
    world.apply(json!({"login": false})).await;
    let live = world.seen().await.unwrap();
    world.databases.delete(&world.id(), &live.uid).await.unwrap();
    assert_eq!(world.is_there().await, (false, false));
}

#[tokio::test]
async fn a_server_that_is_away_is_tried_again_and_said() {
    let Some(world) = world().await else { return };
    let databases = connect(world.server, "postgres", "wrong");
    let error = databases.observe().await.unwrap_err();
    assert!(error.to_string().contains("password authentication failed"), "{error}");
    assert_eq!(error.retry(), Retry::Later);
    assert!(!error.to_string().contains("wrong"));
}

#[tokio::test]
async fn hostile_names_are_names_and_nothing_else() {
    let Some(world) = world().await else { return };
    for hostile in [
        r#"a"; drop role postgres; --"#,
        r"b'; drop database x; \",
        "c\\'$$ ü%s",
        "select",
        "UPPER lower",
    ] {
        let name = format!("{} {hostile}", world.name);
        let id = ResourceId::new(
            "tenantry.dev",
            "Database",
            &world.name,
            &format!("h{}", hostile.len()),
        );
        let mut resource =
            world.resource(&json!({"database": name, "role": name, "schemas": [hostile]}));
        resource.id = id.clone();
        let password = secret(r#"p'a"s\s $$ word"#);
        let done = world.databases.apply(&world.unit, &resource, &password).await.unwrap();
        assert_eq!(done.outcome, Outcome::Created);
        let again = world.databases.apply(&world.unit, &resource, &password).await.unwrap();
        assert_eq!(again.outcome, Outcome::Unchanged, "{hostile}");
        let options: PgConnectOptions = world.server.url("postgres").parse().unwrap();
        let options = options.username(&name).password(password.expose()).database(&name);
        let mut tenant = PgConnection::connect_with(&options).await.unwrap();
        let (schema,): (bool,) =
            sqlx::query_as("select exists(select from pg_namespace where nspname = $1)")
                .bind(hostile)
                .fetch_one(&mut tenant)
                .await
                .unwrap();
        assert!(schema);
        world.databases.delete(&id, &done.live.unwrap().uid).await.unwrap();
    }
}

#[tokio::test]
async fn whatever_is_quoted_comes_back_as_it_was() {
    let Some(world) = world().await else { return };
    let mut admin = world.admin("postgres").await;
    let texts = prop::collection::vec("[^\0]{0,40}|[\"'\\\\$;a]{0,20}", 300);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let texts = texts.new_tree(&mut runner).unwrap().current();
    for strings in ["on", "off"] {
        let set =
            format!("set standard_conforming_strings = {strings}; set escape_string_warning = off");
        sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut admin).await.unwrap();
        let literals: Vec<String> = texts.iter().map(|text| literal(text)).collect();
        let sql = format!("select array[{}]::text[]", literals.join(","));
        let (back,): (Vec<String>,) =
            sqlx::query_as(AssertSqlSafe(sql)).fetch_one(&mut admin).await.unwrap();
        assert_eq!(back, texts);
    }
    let names: BTreeSet<&String> =
        texts.iter().filter(|text| (1..=63).contains(&text.len())).collect();
    for chunk in names.into_iter().collect::<Vec<_>>().chunks(50) {
        let columns: Vec<String> =
            chunk.iter().map(|name| format!("1 as {}", identifier(name))).collect();
        let sql = AssertSqlSafe(format!("select {}", columns.join(",")));
        let row = sqlx::query(sql).fetch_one(&mut admin).await.unwrap();
        let back: Vec<&str> = sqlx::Row::columns(&row).iter().map(sqlx::Column::name).collect();
        assert_eq!(back, chunk.iter().map(|name| name.as_str()).collect::<Vec<_>>());
    }
}
