//! What the platform wants people to look at first, and what they make of it.

use tenantry::edits::Delivery;
use tenantry::edits::Edit;
use tenantry::edits::EditError;
use tenantry::edits::Made;
use tenantry::edits::Reviewed;
use tenantry::edits::tenants;
use tenantry::model::ChangeKind;
use tenantry::model::Commit;

use super::Desk;
use super::a_tenant;
use super::edit;
use super::example;
use super::git;
use super::name;
use super::restart;
use crate::support::repository::TestRepo;

const FILE: &str = "tenants/acme/school.yaml";

/// The example of a platform whose restarts are reviewed.
pub(crate) fn reviews(repository: &TestRepo, kinds: &str) {
    let platform = repository.read("platform.yaml");
    let asks = format!("spec:\n  pullRequests: {{ kinds: [{kinds}] }}\n");
    repository.write("platform.yaml", platform.replacen("spec:\n", &asks, 1)).commit("reviews");
}

fn as_platform_says(intent: &str, kind: ChangeKind) -> Edit {
    Edit { delivery: Delivery::AsPlatformSays(kind), ..restart(intent, "acme", "school") }
}

/// Puts what a branch changed onto the branch that is followed, as one new commit.
pub(crate) fn squash(repository: &TestRepo, branch: &str, message: &str) -> Commit {
    let folder = repository.git_folder();
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("work");
    let path = path.to_str().unwrap();
    git(&folder, &["worktree", "add", "--detach", path, "main"]).unwrap();
    let work = std::path::Path::new(path);
    git(work, &["merge", "--squash", branch]).unwrap();
    git(work, &["commit", "--message", message]).unwrap();
    let made = git(work, &["rev-parse", "HEAD"]).unwrap();
    git(&folder, &["update-ref", "refs/heads/main", &made]).unwrap();
    git(&folder, &["worktree", "remove", "--force", path]).unwrap();
    Commit::new(&made)
}

#[tokio::test]
async fn only_what_the_platform_names_becomes_a_branch_of_its_own() {
    let repository = example();
    let desk = Desk::at(&repository).await;
    let done = desk.editor.commit(as_platform_says("before", ChangeKind::Restart)).await.unwrap();
    assert!(!done.waits_for_review);
    // The very next edit goes by the policy that somebody has just committed.
    reviews(&repository, "restart, scale");
    let head = repository.head();
    let (reviewed, not) = tokio::join!(
        desk.editor.commit(as_platform_says("reviewed", ChangeKind::Restart)),
        desk.editor.commit(as_platform_says("not", ChangeKind::Domains)),
    );
    let (reviewed, not) = (reviewed.unwrap(), not.unwrap());
    assert!(reviewed.waits_for_review);
    assert_eq!((reviewed.made, reviewed.branch.as_str()), (Made::Now, "tenantry/reviewed"));
    assert_eq!(
        (not.made, not.branch.as_str(), &not.commit),
        (Made::Now, "main", &repository.head())
    );
    assert_ne!(repository.head(), head);
    let again =
        desk.editor.commit(as_platform_says("reviewed", ChangeKind::Restart)).await.unwrap();
    assert_eq!((again.made, again.waits_for_review), (Made::Before, true));
}

#[tokio::test]
async fn what_would_break_the_repository_is_refused_before_anybody_has_to_look_at_it() {
    let repository = example();
    reviews(&repository, "open");
    let desk = Desk::at(&repository).await;
    let mut broken = edit("broken", "initech", |draft| {
        let mut tenant = a_tenant();
        tenant.cluster = Some(name("hanoi"));
        tenants::add(draft, &name("initech"), &tenant)
    });
    broken.delivery = Delivery::AsPlatformSays(ChangeKind::Open);
    let error = desk.editor.commit(broken).await.unwrap_err();
    assert!(matches!(error, EditError::Breaks { .. }), "{error}");
    let branches = git(&repository.git_folder(), &["branch", "--list", "tenantry/*"]).unwrap();
    assert_eq!(branches, "");
}

#[tokio::test]
async fn a_merge_is_found_however_it_was_made_and_a_deleted_branch_is_no_merge() {
    let repository = example();
    reviews(&repository, "restart");
    let desk = Desk::at(&repository).await;
    let review = async |intent: &str| desk.editor.review(intent.parse().unwrap()).await.unwrap();
    let propose = async |intent: &str| {
        desk.editor.commit(as_platform_says(intent, ChangeKind::Restart)).await.unwrap()
    };
    assert_eq!(review("never").await, Reviewed::Gone);

    let merged = propose("merged").await;
    assert_eq!(review("merged").await, Reviewed::Waits);
    repository.write("readme.md", "by a person").commit("meanwhile");
    repository.merge(&merged.commit, "Merge branch");
    assert_eq!(review("merged").await, Reviewed::Merged(merged.commit));
    repository.delete_branch("tenantry/merged");

    propose("squashed").await;
    let message = "Restart (#7)\n\n* Restart\n\nIntent-Id: squashed\nActor: ada\n\nReviewed-on: https://git.example/7";
    let squashed = squash(&repository, "tenantry/squashed", message);
    repository.delete_branch("tenantry/squashed");
    assert_eq!(review("squashed").await, Reviewed::Merged(squashed));

    let rebased = propose("rebased").await;
    let first = repository.head();
    repository.write("readme.md", "once more").commit("meanwhile");
    let said =
        git(&repository.git_folder(), &["log", "-1", "--format=%B", rebased.commit.as_str()]);
    let moved = squash(&repository, "tenantry/rebased", &said.unwrap());
    assert_ne!(moved, rebased.commit);
    assert_eq!(review("rebased").await, Reviewed::Merged(moved));

    propose("declined").await;
    repository.delete_branch("tenantry/declined");
    assert_eq!(review("declined").await, Reviewed::Gone);

    // A history in which it was never merged: it waits again.
    repository.force_to(&first);
    assert_eq!(review("rebased").await, Reviewed::Waits);
}

#[tokio::test]
async fn a_branch_that_conflicts_stays_a_matter_of_whoever_reviews_it() {
    let repository = example();
    reviews(&repository, "restart");
    let desk = Desk::at(&repository).await;
    let proposed = desk.editor.commit(as_platform_says("late", ChangeKind::Restart)).await.unwrap();
    repository.write(FILE, repository.read(FILE) + "  restarts: 41\n").commit("by a person");
    assert_eq!(desk.editor.review("late".parse().unwrap()).await.unwrap(), Reviewed::Waits);
    let again = desk.editor.commit(as_platform_says("late", ChangeKind::Restart)).await.unwrap();
    assert_eq!((again.made, again.commit), (Made::Before, proposed.commit));
}
