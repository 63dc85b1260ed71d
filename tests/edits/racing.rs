//! Many write at once, and a person among them: nothing is lost, and nothing is done twice.

use std::collections::BTreeMap;
use std::path::Path;

use tenantry::edits::EditError;
use tenantry::edits::Made;
use tenantry::model::Configuration;
use tenantry::source::Objects;
use tenantry::source::settings::SubFolder;

use super::Desk;
use super::example;
use super::git;
use super::log;
use super::order;
use super::restart;
use crate::support::repository::TestRepo;

const WRITERS: usize = 16;
const ROUNDS: usize = 4;
const BY_HAND: usize = 10;

/// A person who changes a file of one tenant in a clone, and pushes, again and again.
fn a_person(repository: &TestRepo, folder: &Path) {
    let url = repository.file_url();
    git(folder, &["clone", "--quiet", &url, "."]).unwrap();
    for count in 0..BY_HAND {
        let file = folder.join("tenants/siti/blog.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{text}# By hand, {count}.\n")).unwrap();
        git(folder, &["commit", "--quiet", "--all", "--message", "by hand"]).unwrap();
        while git(folder, &["push", "--quiet"]).is_err() {
            git(folder, &["pull", "--quiet", "--rebase"]).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_writers_and_a_person_push_to_one_branch() {
    let repository = example();
    let clone = tempfile::tempdir().unwrap();
    // Four portals, as four replicas would be, each with four customers at a time.
    let mut desks = Vec::new();
    for _ in 0..4 {
        desks.push(Desk::at(&repository).await);
    }
    let mut tasks = Vec::new();
    for writer in 0..WRITERS {
        let editor = desks[writer % desks.len()].editor.clone();
        let other = desks[(writer + 1) % desks.len()].editor.clone();
        tasks.push(tokio::spawn(async move {
            let tenant = format!("racer-{writer}");
            let mut commits = vec![committed(&editor, || order(&tenant)).await];
            for round in 0..ROUNDS {
                let intent = format!("restart-{writer}-{round}");
                let ask = || restart(&intent, "acme", "school");
                // Both replicas were asked, as when a client tries again elsewhere.
                let (one, two) = tokio::join!(committed(&editor, ask), committed(&other, ask));
                assert_eq!(one, two, "one intent, one commit");
                commits.push(one);
            }
            commits
        }));
    }
    std::thread::scope(|scope| {
        let person = scope.spawn(|| a_person(&repository, clone.path()));
        tokio::task::block_in_place(|| person.join().unwrap());
    });
    let mut commits = Vec::new();
    for task in tasks {
        commits.extend(task.await.unwrap());
    }

    let intents = log(&repository, "%(trailers:key=Intent-Id,valueonly)");
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for intent in &intents {
        *counted.entry(intent).or_default() += 1;
    }
    assert_eq!(counted.len(), WRITERS * (ROUNDS + 1));
    assert!(counted.values().all(|count| *count == 1), "{counted:?}");
    assert_eq!(log(&repository, "%s").iter().filter(|line| *line == "by hand").count(), BY_HAND);
    assert!(log(&repository, "%P").iter().all(|parents| !parents.contains(' ')), "it is linear");
    let on_branch = log(&repository, "%H");
    assert!(commits.iter().all(|commit| on_branch.contains(commit)));
    for (author, committer) in log(&repository, "%ae|%ce|%(trailers:key=Intent-Id,valueonly)")
        .iter()
        .filter(|line| line.contains("racer-"))
        .map(|line| line.split_once('|').unwrap())
    {
        assert!(author.starts_with("admin@racer-"), "{author}");
        assert!(committer.starts_with("portal@tenantry.example|"), "{committer}");
    }

    let school = repository.read("tenants/acme/school.yaml");
    assert!(school.contains(&format!("restarts: {}\n", WRITERS * ROUNDS)), "{school}");
    let blog = repository.read("tenants/siti/blog.yaml");
    assert_eq!(blog.matches("# By hand").count(), BY_HAND, "{blog}");
    every_commit_is_valid(&repository).await;
}

/// Commits, again where others were too fast too often, as a worker does.
async fn committed(
    editor: &tenantry::edits::Editor,
    edit: impl Fn() -> tenantry::edits::Edit,
) -> String {
    loop {
        match editor.commit(edit()).await {
            Ok(done) => {
                assert_ne!(done.made, Made::Nothing);
                return done.commit.to_string();
            }
            Err(EditError::Contended { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

async fn every_commit_is_valid(repository: &TestRepo) {
    let folder = repository.git_folder();
    let objects = Objects::around(&folder, SubFolder::default()).await.unwrap();
    let names = tenantry::render::Templates::built_in().names();
    for commit in objects.log(None, &repository.head(), 1000).await.unwrap() {
        let snapshot = objects.snapshot(&commit.id).await.unwrap();
        let configuration = Configuration::read(None, &snapshot);
        let checked = tenantry::validate::check(&configuration, &snapshot, &names);
        let errors: Vec<_> = checked
            .findings
            .iter()
            .filter(|finding| finding.severity == tenantry::model::Severity::Error)
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", commit.id);
    }
}
