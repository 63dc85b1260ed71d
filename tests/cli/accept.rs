//! Following a branch again whose history was rewritten.

use crate::support::program::Program;
use crate::support::program::Told;
use crate::support::repository::TestRepo;

#[test]
fn a_rewritten_branch_is_followed_again_when_its_commit_is_accepted() {
    let repository = TestRepo::new();
    let cache = tempfile::tempdir().unwrap();
    let accept = |commit: &str| -> Told {
        let cache = cache.path().display();
        Program::with(&format!("accept {commit} --repository . --cache {cache}"))
            .in_folder(repository.path())
            .run()
    };
    let first = repository.write("a.yaml", "").commit("one");
    let second = repository.write("a.yaml", "# more\n").commit("two");
    // The head is taken as it is: there was nothing before it.
    assert_eq!(accept(second.as_str()).code, 0);

    repository.force_to(&first);
    let rewritten = repository.write("b.yaml", "").commit("another two");
    let other = accept(first.as_str());
    assert_eq!(other.code, 1);
    assert!(other.err.contains(&format!("that is {rewritten}")), "{}", other.err);
    let told = accept(rewritten.as_str());
    assert_eq!(told.code, 0);
    assert_eq!(told.err, "accepted: the daemon goes on from there at its next look\n");
}
