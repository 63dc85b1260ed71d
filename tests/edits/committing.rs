//! What becomes of an edit: a commit, an answer from before, a refusal that says why.

use std::sync::Arc;

use tenantry::edits::Delivery;
use tenantry::edits::Edit;
use tenantry::edits::EditError;
use tenantry::edits::Made;
use tenantry::edits::subscriptions;
use tenantry::edits::tenants;
use tenantry::source::Settings;
use tenantry::source::SourceError;

use super::Desk;
use super::a_subscription;
use super::a_tenant;
use super::edit;
use super::example;
use super::git;
use super::log;
use super::name;
use super::order;
use super::restart;
use crate::support::repository::TestRepo;

#[tokio::test]
async fn an_order_becomes_a_commit_of_the_customer_by_the_portal() {
    let repository = example();
    let desk = Desk::at(&repository).await;
    let mut order = order("initech");
    order.subject = "Order n8n".into();
    order.body = "As agreed by phone.\n".into();
    order.trailers.push(("Order".into(), "7".into()));
    let done = desk.editor.commit(order).await.unwrap();
    assert_eq!((done.made, done.branch.as_str()), (Made::Now, "main"));
    assert_eq!(done.commit, repository.head());
    let said = git(
        &repository.git_folder(),
        &["log", "-1", "--date=iso-strict-local", "--format=%an <%ae> %at|%cn <%ce>|%B", "main"],
    );
    assert_eq!(
        said.unwrap(),
        "Somebody of initech <admin@initech.example> 1795248000|Tenantry <portal@tenantry.example>|Order n8n\n\n\
         As agreed by phone.\n\nIntent-Id: order-initech\nRequest-Id: request-of-order-initech\n\
         Actor: admin@initech.example\nOrder: 7"
    );
    let files =
        git(&repository.git_folder(), &["diff", "--stat=200", "--name-status", "main~", "main"]);
    assert_eq!(
        files.unwrap(),
        "A\ttenants/initech/automation.yaml\nA\ttenants/initech/tenant.yaml"
    );
    assert!(git(&repository.git_folder(), &["fsck", "--strict"]).is_ok());
}

#[tokio::test]
async fn what_is_asked_for_again_is_done_once_whoever_asks() {
    let repository = example();
    let desk = Desk::at(&repository).await;
    let ask = || desk.editor.commit(restart("once", "acme", "school"));
    let (one, two, three) = tokio::join!(ask(), ask(), ask());
    let done = one.unwrap();
    assert_eq!(two.unwrap().commit, done.commit);
    assert_eq!(three.unwrap().commit, done.commit);

    repository.write("readme.md", "by a person").commit("another commit");
    let again = desk.editor.commit(restart("once", "acme", "school")).await.unwrap();
    assert_eq!((again.made, &again.commit), (Made::Before, &done.commit));
    let another = Desk::at(&repository).await;
    let again = another.editor.commit(restart("once", "acme", "school")).await.unwrap();
    assert_eq!((again.made, &again.commit), (Made::Before, &done.commit));
    assert_eq!(repository.read("tenants/acme/school.yaml").matches("restarts: 1").count(), 1);
}

#[tokio::test]
async fn what_was_lost_with_a_rewritten_branch_is_done_again() {
    let repository = example();
    let first = repository.head();
    let desk = Desk::at(&repository).await;
    desk.editor.commit(restart("once", "acme", "school")).await.unwrap();
    repository.force_to(&first);
    let again = desk.editor.commit(restart("once", "acme", "school")).await.unwrap();
    assert_eq!((again.made, again.commit), (Made::Now, repository.head()));
}

#[tokio::test]
async fn what_is_so_already_makes_no_commit() {
    let repository = example();
    let desk = Desk::at(&repository).await;
    let head = repository.head();
    let nothing = edit("nothing", "acme", |draft| {
        let day = Some("2035-12-15".parse().unwrap());
        subscriptions::set_paid_through(draft, &name("acme"), &name("school"), day)
    });
    let done = desk.editor.commit(nothing).await.unwrap();
    assert_eq!((done.made, &done.commit), (Made::Nothing, &head));
    assert_eq!(repository.head(), head);
}

#[tokio::test]
async fn what_would_break_the_repository_is_refused_with_the_findings_and_fails_alone() {
    let repository = example();
    let desk = Desk::at(&repository).await;
    let taken = || {
        edit("taken", "initech", |draft| {
            tenants::add(draft, &name("initech"), &a_tenant())?;
            let mut subscription = a_subscription("initech");
            subscription.domains = vec!["learn.globex.example".into()];
            subscriptions::add(draft, &name("automation"), &subscription)
        })
    };
    // The same tenant, by somebody who waits behind the one that is refused.
    let mut behind = order("initech");
    behind.intent = "behind".parse().unwrap();
    let (good, bad, other, behind) = tokio::join!(
        desk.editor.commit(order("hooli")),
        desk.editor.commit(taken()),
        desk.editor.commit(restart("other", "acme", "school")),
        desk.editor.commit(behind),
    );
    good.unwrap();
    other.unwrap();
    behind.unwrap();
    let error = bad.unwrap_err();
    let EditError::Breaks { findings } = &error else { panic!("{error}") };
    assert_eq!(findings[0].rule, "domain-taken");
    let text = error.to_string();
    assert!(text.starts_with("the change would break the repository: tenants/"), "{text}");
    assert!(!error.is_passing());
    assert_eq!(log(&repository, "%s").len(), 4);
}

#[tokio::test]
async fn a_mistake_in_another_tenant_s_folder_stops_nobody() {
    let repository = example();
    repository
        .write("tenants/globex/campus.yaml", "kind: [")
        .write("tenants/siti/more.yaml", "apiVersion: tenantry.dev/v1\nkind: Tenent\n")
        .commit("a person's mistakes");
    let desk = Desk::at(&repository).await;
    desk.editor.commit(order("initech")).await.unwrap();
    desk.editor.commit(restart("again", "acme", "school")).await.unwrap();
    let broken = desk.editor.commit(restart("broken", "globex", "campus")).await.unwrap_err();
    assert!(matches!(broken, EditError::Refused(_)), "{broken}");
}

#[tokio::test]
async fn a_branch_that_is_checked_out_takes_no_push_and_the_fix_is_told() {
    let repository = TestRepo::seeded_from(
        &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tenants-example"),
    );
    repository.check_out();
    git(repository.path(), &["reset", "--quiet"]).unwrap();
    let head = repository.head();
    let desk = Desk::at(&repository).await;
    let error = desk.editor.commit(restart("a", "acme", "school")).await.unwrap_err();
    let told = error.to_string();
    assert!(
        told.ends_with(
            "use a bare repository, or run `git config receive.denyCurrentBranch updateInstead` there and keep its \
             work tree clean"
        ),
        "{told}"
    );
    assert!(!error.is_passing());
    assert_eq!(repository.head(), head);

    git(repository.path(), &["config", "receive.denyCurrentBranch", "updateInstead"]).unwrap();
    let file = repository.path().join("tenants/acme/school.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("# By hand.\n{text}")).unwrap();
    let error = desk.editor.commit(restart("a", "acme", "school")).await.unwrap_err();
    assert!(error.to_string().contains("checked out"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("# By hand.\n{text}"));

    std::fs::write(&file, text).unwrap();
    desk.editor.commit(restart("a", "acme", "school")).await.unwrap();
    assert!(std::fs::read_to_string(&file).unwrap().ends_with("restarts: 1\n"));
}

#[tokio::test]
async fn a_server_that_declines_is_quoted() {
    let repository = example();
    hook(&repository, "pre-receive", "echo 'no orders on Sunday'; exit 1");
    let desk = Desk::at(&repository).await;
    let error = desk.editor.commit(order("initech")).await.unwrap_err();
    let EditError::Source(source) = &error else { panic!("{error}") };
    assert!(matches!(**source, SourceError::PushRefused { .. }), "{error}");
    assert!(error.to_string().contains("no orders on Sunday"), "{error}");
}

#[tokio::test]
async fn a_pull_request_is_a_branch_of_its_own_and_is_made_once() {
    let repository = example();
    let head = repository.head();
    let propose = |intent: &str| Edit {
        delivery: Delivery::PullRequest,
        ..restart(intent, "acme", "school")
    };
    let desk = Desk::at(&repository).await;
    let done = desk.editor.commit(propose("change-1")).await.unwrap();
    assert_eq!((done.made, done.branch.as_str()), (Made::Now, "tenantry/change-1"));
    assert_eq!(repository.head(), head);
    let at = git(&repository.git_folder(), &["rev-parse", "tenantry/change-1"]).unwrap();
    assert_eq!(at, done.commit.to_string());

    let again = Desk::at(&repository).await.editor.commit(propose("change-1")).await.unwrap();
    assert_eq!((again.made, again.commit), (Made::Before, done.commit.clone()));

    repository.merge(&done.commit, "merged by a person");
    repository.delete_branch("tenantry/change-1");
    let again = desk.editor.commit(propose("change-1")).await.unwrap();
    assert_eq!((again.made, again.branch.as_str()), (Made::Before, "main"));
}

#[tokio::test]
async fn only_the_folder_that_is_read_is_written() {
    let repository = TestRepo::bare();
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tenants-example");
    repository.write_folder(&example, "hosting/prod").write("readme.md", "ours").commit("one");
    let mut settings = Settings::of(repository.file_url().parse().unwrap());
    settings.path = "hosting/prod".parse().unwrap();
    let desk = Desk::with(settings, None).await;
    desk.editor.commit(order("initech")).await.unwrap();
    assert_eq!(repository.read("readme.md"), "ours");
    assert!(repository.read("hosting/prod/tenants/initech/tenant.yaml").contains("name: initech"));

    let gone = edit("gone", "initech", |draft| tenants::remove(draft, &name("initech")));
    desk.editor.commit(gone).await.unwrap();
    let folder =
        git(&repository.git_folder(), &["ls-tree", "main:hosting/prod/tenants", "initech"]);
    assert_eq!(folder.unwrap(), "", "a folder of nothing is none");
    assert!(git(&repository.git_folder(), &["fsck", "--strict"]).is_ok());
}

#[tokio::test]
async fn names_and_words_that_git_cannot_hold_are_made_fit() {
    let repository = example();
    let desk = Desk::at(&repository).await;
    let mut edit = restart("odd", "acme", "school");
    edit.author = super::person("Eve <eve@x>\nIntent-Id: other", "");
    edit.subject = "Restart\n\nIntent-Id: other".into();
    desk.editor.commit(edit).await.unwrap();
    assert_eq!(
        log(&repository, "%an|%ae|%s|%(trailers:key=Intent-Id,valueonly,separator=%x2C)")[0],
        "Eve eve@x Intent-Id: other|unknown|Restart Intent-Id: other|odd"
    );
}

/// Puts a hook into a repository.
pub(super) fn hook(repository: &TestRepo, name: &str, script: &str) {
    let folder = repository.git_folder().join("hooks");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn an_edit_is_computed_again_from_where_the_branch_is_now() {
    let repository = Arc::new(example());
    let desk = Desk::at(&repository).await;
    // The first time it is computed, a person is faster.
    let (moved, times) = (Arc::clone(&repository), Arc::new(std::sync::atomic::AtomicU32::new(0)));
    let counted = Arc::clone(&times);
    let slow = edit("slow", "acme", move |draft| {
        if counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
            let file = "tenants/acme/school.yaml";
            moved.write(file, moved.read(file) + "  restarts: 6\n").commit("by a person");
        }
        subscriptions::restart(draft, &name("acme"), &name("school"))
    });
    desk.editor.commit(slow).await.unwrap();
    assert_eq!(times.load(std::sync::atomic::Ordering::Relaxed), 2);
    assert!(repository.read("tenants/acme/school.yaml").ends_with("  restarts: 7\n"));
    assert_eq!(log(&repository, "%s")[..2], ["Change acme", "by a person"]);
}
