//! Killed at any point and asked again, an edit is on the branch once.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tenantry::edits::Made;

use super::Desk;
use super::committing::hook;
use super::example;
use super::log;
use super::order;
use crate::support::repository::TestRepo;

/// Asks for an order, and ends everything while the server is in a hook.
fn killed_in(repository: &TestRepo, name: &str, exit: u8) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (there, go) = (folder.path().join("there"), folder.path().join("go"));
    let wait = format!(
        "touch '{}'; while [ ! -e '{}' ]; do sleep 0.02; done; exit {exit}",
        there.display(),
        go.display()
    );
    hook(repository, name, &wait);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let desk = runtime.block_on(Desk::at(repository));
    let editor = desk.editor.clone();
    runtime.spawn(async move { editor.commit(order("initech")).await });
    until_there(&there);
    runtime.shutdown_background();
    std::fs::remove_file(repository.git_folder().join("hooks").join(name)).unwrap();
    std::fs::write(go, "").unwrap();
    folder
}

fn until_there(file: &Path) {
    for _ in 0..3000 {
        if file.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the push never came to the hook");
}

#[test]
fn between_the_commit_and_the_push() {
    let repository = example();
    let _folder = killed_in(&repository, "pre-receive", 1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let desk = runtime.block_on(Desk::at(&repository));
    let done = runtime.block_on(desk.editor.commit(order("initech"))).unwrap();
    assert_eq!(done.commit, repository.head());
    assert_eq!(log(&repository, "%s"), ["Change initech", "the example"]);
}

#[test]
fn between_the_push_and_its_answer() {
    let repository = example();
    let _folder = killed_in(&repository, "post-receive", 0);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let desk = runtime.block_on(Desk::at(&repository));
    let done = runtime.block_on(desk.editor.commit(order("initech"))).unwrap();
    assert_eq!((done.made, done.commit), (Made::Before, repository.head()));
    assert_eq!(log(&repository, "%s"), ["Change initech", "the example"]);
}
