//! The demo: the real program plays the whole story, and leaves nothing behind.

use std::io::BufRead as _;
use std::io::BufReader;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::program::Program;
use crate::support::skipped;

const STEPS: [&str; 14] = [
    "start",
    "open",
    "openOthers",
    "addTenant",
    "changePackage",
    "changeNothing",
    "scaleByHand",
    "deleteByHand",
    "breakFile",
    "revert",
    "deleteTooMuch",
    "revertDeletion",
    "renew",
    "removeTenant",
];

/// Where the demo puts everything. PostgreSQL runs as somebody else and has to get there, too.
fn temporary_folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("demo-test-").tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

fn lacks_postgresql(errors: &str) -> bool {
    let lacks = errors.contains("install PostgreSQL");
    if lacks {
        skipped("it needs PostgreSQL", errors.trim());
    }
    lacks
}

/// What is left of a demo: files in its folder, and processes that speak of it.
fn left_behind(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut left: Vec<String> = files.map(|path| path.display().to_string()).collect();
    let name = folder.to_str().unwrap();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let command = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if command.contains(name) {
            left.push(command);
        }
    }
    left
}

#[track_caller]
fn wait_until_nothing_is_left(folder: &Path) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !left_behind(folder).is_empty() {
        assert!(Instant::now() < deadline, "left behind: {:#?}", left_behind(folder));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A demo that has begun to play.
fn begun(folder: &Path) -> Option<Child> {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_tenantry"))
        .args(["demo", "--keep", "--output", "json"])
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(demo.stdout.take().unwrap()).read_line(&mut first).unwrap();
    if first.is_empty() {
        let output = demo.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(lacks_postgresql(&errors), "{errors}");
        return None;
    }
    assert!(first.contains("\"step\":\"start\""), "{first}");
    Some(demo)
}

#[test]
fn every_step_happens_and_nothing_is_left_behind() {
    let folder = temporary_folder();
    let told = Program::with("demo --output json")
        .variable("TMPDIR", folder.path().to_str().unwrap())
        .run();
    if lacks_postgresql(&told.err) {
        return;
    }
    assert_eq!(told.code, 0, "{}", told.shown());
    let steps: Vec<Value> =
        told.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (end, steps) = steps.split_last().unwrap();
    let names: Vec<&str> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(names, STEPS);
    assert!(steps.iter().all(|step| step["tookMs"].is_u64()), "{}", told.out);

    let step = |name: &str| steps.iter().find(|step| step["step"] == name).unwrap();
    let stages: Vec<&Value> =
        step("open")["timeline"].as_array().unwrap().iter().map(|of| &of["stage"]).collect();
    assert_eq!(stages, ["Namespace", "Database", "Services", "Network", "Data", "Verify"]);
    assert_eq!(step("changePackage")["concerned"], serde_json::json!(["lotus", "sunrise"]));
    assert_eq!(step("changeNothing")["rendered"], 0);
    assert_eq!(step("changeNothing")["requests"], 0);
    assert_eq!(step("scaleByHand")["changedBy"], "kubectl-scale");
    assert_eq!(step("breakFile")["held"], serde_json::json!(["sunrise"]));
    assert_eq!(step("deleteTooMuch")["deleteRequests"], 0);
    assert!(step("deleteTooMuch")["parked"]["digest"].is_string());
    assert_eq!(step("renew")["replicasBefore"], 0);

    assert_eq!(end["step"], "end");
    assert_eq!(end["counts"]["failed"], 0, "{end}");
    assert!(end["tookMs"].as_u64().unwrap() > 0);
    wait_until_nothing_is_left(folder.path());
}

#[test]
fn interrupted_it_stops_and_removes_everything() {
    let folder = temporary_folder();
    let Some(demo) = begun(folder.path()) else { return };
    let asked = Command::new("kill").args(["-INT", &demo.id().to_string()]).status().unwrap();
    assert!(asked.success());
    let output = demo.wait_with_output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("interrupted: everything that was started is stopped"), "{errors}");
    wait_until_nothing_is_left(folder.path());
}

#[test]
fn killed_it_leaves_nothing_behind_either() {
    let folder = temporary_folder();
    let Some(mut demo) = begun(folder.path()) else { return };
    demo.kill().unwrap();
    demo.wait().unwrap();
    wait_until_nothing_is_left(folder.path());
}

#[test]
fn without_postgresql_it_names_the_package() {
    if Path::new("/usr/lib/postgresql").exists() {
        skipped("it needs a machine without PostgreSQL", "/usr/lib/postgresql is there");
        return;
    }
    let told = Program::with("demo").variable("PATH", "/nonexistent").run();
    assert_eq!(told.code, 1);
    assert!(told.err.contains("apt-get install postgresql"), "{}", told.err);
}
