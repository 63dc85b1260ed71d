//! The scripts that save and restore, as the templates have them, run by a shell: on a real
//! PostgreSQL, and on files.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use sqlx::Connection as _;
use sqlx::Executor as _;
use sqlx::PgConnection;
use tempfile::TempDir;
use tenantry::sandbox::postgres::PostgresError;
use tenantry::sandbox::postgres::PostgresOptions;
use tenantry::sandbox::postgres::PrivatePostgres;

use super::fixture::Files;
use super::fixture::Rendered as _;
use crate::support::skipped;

/// A folder with the scripts of a subscription, and one for its backups.
struct Pod {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Pod {
    fn of(tenant: &str, scripts: &str) -> Self {
        let rendering = Files::example().render(tenant);
        let data = &rendering.named("ConfigMap", scripts).body["data"];
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("backups")).unwrap();
        for (name, text) in data.as_object().unwrap() {
            std::fs::write(folder.path().join(name), text.as_str().unwrap()).unwrap();
        }
        let backups = folder.path().join("backups").to_str().unwrap().to_owned();
        let variables = vec![("BACKUPS", backups), ("KEEP_DAYS", "30".into())];
        Self { folder, variables }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    fn backups(&self) -> PathBuf {
        self.folder.path().join("backups")
    }

    fn run(&self, script: &str, more: &[(&str, &str)]) -> Output {
        let path = format!("{}:/usr/bin:/bin", programs().display());
        Command::new("sh")
            .args(["-eu", self.folder.path().join(script).to_str().unwrap()])
            .env_clear()
            .env("PATH", path)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .envs(more.iter().copied())
            .output()
            .unwrap()
    }

    #[track_caller]
    fn does(&self, script: &str, more: &[(&str, &str)]) -> String {
        let output = self.run(script, more);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {said}");
        String::from_utf8(output.stdout).unwrap().lines().last().unwrap_or_default().to_owned()
    }

    #[track_caller]
    fn refuses(&self, script: &str, more: &[(&str, &str)]) -> (i32, String) {
        let output = self.run(script, more);
        assert!(!output.status.success(), "{script} goes well");
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        (output.status.code().unwrap(), said)
    }
}

/// Where `pg_dump` is.
fn programs() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = installed.map(|entry| entry.path().join("bin")).max();
    newest.unwrap_or_else(|| Path::new("/usr/bin").to_owned())
}

async fn postgres() -> Option<PrivatePostgres> {
    match PrivatePostgres::start(&PostgresOptions::default()).await {
        Ok(postgres) => Some(postgres),
        Err(error @ PostgresError::NotInstalled) => {
            skipped("it needs PostgreSQL", error);
            None
        }
        Err(error) => panic!("the private PostgreSQL does not start: {error}"),
    }
}

#[tokio::test]
async fn a_database_is_restored_as_it_was_backed_up_wholly_or_not_at_all() {
    let Some(postgres) = postgres().await else { return };
    let url = postgres.create_database("school").await.unwrap();
    let mut admin = PgConnection::connect(&url).await.unwrap();
    // As Tenantry makes it: extensions are the server's, schemas and what is in them the role's.
    admin
        .execute(
            "create extension pg_trgm;
             create role school_user login password 'sesame';
             create schema classes authorization school_user",
        )
        .await
        .unwrap();
    let (_, rest) = url.split_once('@').unwrap();
    let own = format!("postgresql://school_user:sesame@{rest}");
    let mut school = PgConnection::connect(&own).await.unwrap();
    school
        .execute("create table classes.pupil (name text primary key); comment on table classes.pupil is 'who learns'; insert into classes.pupil values ('An'), ('Binh')")
        .await
        .unwrap();
    let pupils = async |school: &mut PgConnection| -> i64 {
        sqlx::query_scalar("select count(*) from classes.pupil").fetch_one(school).await.unwrap()
    };
    let pod = Pod::of("acme", "acme-backup").with("DATABASE_URL", own.clone());
    let first = pod.does("backup.sh", &[("BACKUP", "2026-11-20T0000Z-first")]);
    assert_eq!(first, "2026-11-20T0000Z-first.dump");
    let again = std::fs::metadata(pod.backups().join(&first)).unwrap().modified().unwrap();
    pod.does("backup.sh", &[("BACKUP", "2026-11-20T0000Z-first")]);
    let kept = std::fs::metadata(pod.backups().join(&first)).unwrap().modified().unwrap();
    assert_eq!(again, kept, "a second try leaves the backup as it is");
    let nightly = pod.does("backup.sh", &[]);
    assert!(nightly.starts_with("20") && nightly.ends_with("Z.dump"), "{nightly}");
    std::fs::remove_file(pod.backups().join(nightly)).unwrap();

    school.execute("delete from classes.pupil where name = 'An'").await.unwrap();
    let restored = pod.does("restore.sh", &[("BACKUP", &first), ("TASK", "restore-1")]);
    assert_eq!((restored, pupils(&mut school).await), (first.clone(), 2));
    school.execute("insert into classes.pupil values ('Chi')").await.unwrap();
    let (code, said) = pod.refuses("restore.sh", &[("BACKUP", &first), ("TASK", "restore-1")]);
    assert!(code == 75 && said.contains("nothing is restored twice"), "{code}: {said}");
    assert_eq!(pupils(&mut school).await, 3);

    // What somebody else holds on to cannot be replaced: then nothing is.
    school.execute("create view classes.names as select name from classes.pupil").await.unwrap();
    pod.refuses("restore.sh", &[("BACKUP", &first), ("TASK", "restore-2")]);
    assert_eq!(pupils(&mut school).await, 3, "all of it or nothing");
    school.execute("drop view classes.names").await.unwrap();
    let newest = pod.does("restore.sh", &[("BACKUP", ""), ("TASK", "restore-3")]);
    assert_eq!((newest, pupils(&mut school).await), (first, 2));
}

#[tokio::test]
async fn a_backup_that_cannot_be_taken_leaves_none_behind() {
    let pod = Pod::of("acme", "acme-backup").with("DATABASE_URL", "postgresql://127.0.0.1:1/gone");
    pod.refuses("backup.sh", &[("BACKUP", "final")]);
    let whole = std::fs::read_dir(pod.backups()).unwrap().flatten();
    let whole = whole.filter(|file| file.file_name().to_string_lossy().ends_with(".dump"));
    assert_eq!(whole.count(), 0);
}

#[test]
fn a_restore_takes_names_and_no_commands() {
    for (tenant, scripts) in [("acme", "acme-backup"), ("toko-batik", "automation-backup")] {
        let pod = Pod::of(tenant, scripts).with("RUNS", "false").with("TASK", "t");
        for name in ["../x", "-rf", "a;touch ran", "$(touch ran)", "a b", ".hidden", "a\nb"] {
            let (code, said) = pod.refuses("restore.sh", &[("BACKUP", name)]);
            assert_eq!((code, &*said), (64, "this is not the name of a backup"), "{name:?}");
        }
        let (code, said) = pod.refuses("restore.sh", &[("BACKUP", "gone.dump")]);
        assert_eq!((code, &*said), (66, "there is no backup gone.dump"));
        let (_, said) = pod.refuses("restore.sh", &[("BACKUP", "")]);
        assert_eq!(said, "there is no backup at all");
        assert_eq!(std::fs::read_dir(pod.backups()).unwrap().count(), 0, "nothing ran");
    }
}

#[test]
fn volumes_are_restored_as_they_were_saved_while_nothing_runs_on_them() {
    let pod = Pod::of("toko-batik", "automation-backup");
    let data = pod.folder.path().join("data");
    let volume = data.join("n8n/data");
    std::fs::create_dir_all(volume.join("flows")).unwrap();
    std::fs::write(volume.join("flows/one"), "first").unwrap();
    std::fs::write(volume.join(".key"), "secret").unwrap();
    let data = data.to_str().unwrap().to_owned();
    let pod = pod.with("DATA", data);
    let name = pod.does("backup.sh", &[("BACKUP", "2026-11-20T0000Z-first")]);
    assert_eq!(name, "2026-11-20T0000Z-first.tar.gz");
    std::fs::write(volume.join("flows/one"), "second").unwrap();
    std::fs::write(volume.join("new"), "new").unwrap();
    std::fs::remove_file(volume.join(".key")).unwrap();
    let (code, said) =
        pod.refuses("restore.sh", &[("BACKUP", ""), ("TASK", "r"), ("RUNS", "true")]);
    assert_eq!((code, &*said), (78, "it runs: hold it, restore, and lift the hold"));
    pod.does("restore.sh", &[("BACKUP", ""), ("TASK", "r"), ("RUNS", "false")]);
    assert_eq!(std::fs::read_to_string(volume.join("flows/one")).unwrap(), "first");
    assert_eq!(std::fs::read_to_string(volume.join(".key")).unwrap(), "secret");
    let there = std::fs::read_dir(&volume).unwrap().count();
    assert_eq!(there, 2, "what came later is gone, and nothing of the restore is left");
    let (code, _) = pod.refuses("restore.sh", &[("BACKUP", ""), ("TASK", "r"), ("RUNS", "false")]);
    assert_eq!(code, 75);
}

#[test]
fn old_backups_go_and_the_last_one_before_a_removal_never_does() {
    let pod = Pod::of("toko-batik", "automation-backup");
    let data = pod.folder.path().join("data");
    std::fs::create_dir_all(data.join("n8n/data")).unwrap();
    let pod = pod.with("DATA", data.to_str().unwrap());
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_hours(24 * 60);
    for name in ["2026-01-01T0000Z.tar.gz", "final-2026-01-01T0000Z-x.tar.gz", "notes"] {
        let file = std::fs::File::create(pod.backups().join(name)).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    let new = pod.does("backup.sh", &[("BACKUP", "now")]);
    let left = std::fs::read_dir(pod.backups()).unwrap().flatten();
    let mut left: Vec<String> = left.map(|file| file.file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["final-2026-01-01T0000Z-x.tar.gz", "notes", &new]);
}
