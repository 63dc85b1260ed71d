//! A snapshot after a small change shares the rest with the one before, and is the same as one
//! that was read from nothing.

use std::sync::Arc;
use std::time::Instant;

use proptest::prelude::*;
use tenantry::model::Snapshot;
use tenantry::source::Objects;
use tenantry::source::settings::SubFolder;

use super::source_of;
use crate::support::repository::TestRepo;

/// Everything that can be told apart in a snapshot.
fn content(snapshot: &Snapshot) -> Vec<(String, String, String, bool)> {
    let tell = |file: &tenantry::model::snapshot::File| {
        let text = String::from_utf8_lossy(&file.content).into_owned();
        (file.path.to_string(), file.digest.to_string(), text, file.unread.is_some())
    };
    assert!(snapshot.files.iter().all(|(path, file)| *path == file.path));
    snapshot.files.values().map(tell).collect()
}

#[tokio::test]
async fn files_that_did_not_change_are_shared_and_reading_takes_milliseconds() {
    const TENANTS: usize = 10_000;
    let repository = TestRepo::new();
    let path = |tenant: usize| format!("tenants/t{tenant}/tenant.yaml");
    for tenant in 0..TENANTS {
        repository.write(&path(tenant), format!("name: t{tenant}\n"));
    }
    let before = repository.write("platform.yaml", "a: 1").commit("ten thousand tenants");
    let after = repository.write(&path(77), "name: changed\n").commit("one tenant");

    let (source, _cache) = source_of(&repository).await;
    let start = Instant::now();
    source.look().await.unwrap();
    println!("first fetch of {TENANTS} files: {:?}", start.elapsed());
    let start = Instant::now();
    let first = source.snapshot(&before).await.unwrap();
    println!("cold snapshot of {TENANTS} files: {:?}", start.elapsed());
    let start = Instant::now();
    let second = source.snapshot(&after).await.unwrap();
    println!("snapshot after one changed file: {:?}", start.elapsed());
    let start = Instant::now();
    let paths = source.objects().changed_paths(Some(&before), &after).await.unwrap();
    println!("changed paths between the two: {:?}", start.elapsed());

    assert_eq!(paths.len(), 1);
    assert_eq!((first.files.len(), second.files.len()), (TENANTS + 1, TENANTS + 1));
    let same = |path: &str| Arc::ptr_eq(&first.files[path].content, &second.files[path].content);
    assert!(same(&path(76)) && same("platform.yaml") && !same(&path(77)));
    assert_eq!(second.text(&path(77)), Some("name: changed\n"));
}

#[derive(Clone, Debug)]
enum Step {
    Write(usize, u8),
    Link(usize),
    Submodule(usize),
    Remove(usize),
}

/// Some of them are a file at one time and a folder at another.
const PATHS: [&str; 9] = [
    "a.yaml",
    "a.yaml/b.yaml",
    "a",
    "a/b.yaml",
    "a/b.yaml.yaml",
    "a-b.yaml",
    "templates/a",
    "templates/a/b",
    ".hidden/a.yaml",
];

fn step() -> impl Strategy<Value = Step> {
    let path = 0..PATHS.len();
    prop_oneof![
        4 => (path.clone(), 0..3_u8).prop_map(|(path, content)| Step::Write(path, content)),
        1 => path.clone().prop_map(Step::Link),
        1 => path.clone().prop_map(Step::Submodule),
        2 => path.prop_map(Step::Remove),
    ]
}

/// What is in the way of a path, or below it.
fn in_the_way(path: &str, other: &str) -> bool {
    path == other
        || path.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'))
        || other.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_snapshot_read_from_another_equals_one_read_from_nothing(
        story in prop::collection::vec(prop::collection::vec(step(), 1..4), 1..6)
    ) {
        let repository = TestRepo::new();
        let mut there: Vec<usize> = Vec::new();
        let mut commits = vec![repository.commit("nothing")];
        for steps in story {
            for step in steps {
                let (Step::Write(path, _) | Step::Link(path) | Step::Submodule(path) | Step::Remove(path)) = step;
                for other in there.extract_if(.., |other| in_the_way(PATHS[path], PATHS[*other])) {
                    repository.remove(PATHS[other]);
                }
                match step {
                    Step::Write(_, content) => repository.write(PATHS[path], [content]),
                    Step::Link(_) => repository.symlink(PATHS[path], "elsewhere"),
                    Step::Submodule(_) => repository.submodule(PATHS[path]),
                    Step::Remove(_) => continue,
                };
                there.push(path);
                // What comes later in the same commit may be in the way.
                commits.push(repository.commit("a step"));
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let objects = async || Objects::around(repository.path(), SubFolder::default()).await.unwrap();
            let incremental = objects().await;
            // Back and forth, as reverts and force-pushes go.
            for commit in commits.iter().chain(commits.iter().rev().step_by(2)) {
                let warm = incremental.snapshot(commit).await.unwrap();
                let cold = objects().await.snapshot(commit).await.unwrap();
                prop_assert_eq!(content(&warm), content(&cold));
            }
            Ok(())
        })?;
    }
}
