//! A Git repository in a temporary directory: fixtures write, commit, revert and rewrite in
//! about a millisecond, without the `git` program and without anybody's configuration.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use git2::FileMode;
use git2::Oid;
use git2::Repository;
use git2::Signature;
use git2::Time;
use git2::build::TreeUpdateBuilder;
use tempfile::TempDir;
use tenantry::model::Commit;

/// Commits are made at fixed times, a minute apart: the same story has the same commit ids.
const FIRST_COMMIT: i64 = 1_767_225_600;

/// A repository with a branch `main` and, unless [`TestRepo::check_out`] is called, an empty work
/// tree. `write` and its like gather changes; `commit` makes a commit of them.
pub(crate) struct TestRepo {
    directory: TempDir,
    state: Mutex<State>,
}

struct State {
    repository: Repository,
    changes: Vec<Change>,
    commits: i64,
    branch: String,
}

enum Change {
    Put { path: String, content: Vec<u8>, mode: FileMode },
    Link { path: String, commit: Oid },
    Remove { path: String },
}

impl Change {
    fn path(&self) -> &str {
        match self {
            Self::Put { path, .. } | Self::Link { path, .. } | Self::Remove { path } => path,
        }
    }

    fn mode(&self) -> Option<i32> {
        match self {
            Self::Put { mode, .. } => Some((*mode).into()),
            Self::Link { .. } => Some(FileMode::Commit.into()),
            Self::Remove { .. } => None,
        }
    }
}

impl TestRepo {
    /// An empty repository: no commit, no branch.
    pub(crate) fn new() -> Self {
        Self::made(false)
    }

    /// An empty repository that takes pushes: no branch of it is checked out.
    pub(crate) fn bare() -> Self {
        Self::made(true)
    }

    fn made(bare: bool) -> Self {
        let directory = tempfile::Builder::new().prefix("tenantry-repository-").tempdir().unwrap();
        let mut options = git2::RepositoryInitOptions::new();
        options.initial_head("main").external_template(false).bare(bare);
        let repository = Repository::init_opts(directory.path(), &options).unwrap();
        let state =
            State { repository, changes: Vec::new(), commits: 0, branch: "main".to_owned() };
        Self { directory, state: Mutex::new(state) }
    }

    /// A repository whose first commit holds every file of a folder.
    pub(crate) fn seeded_from(folder: &Path) -> Self {
        let repository = Self::new();
        repository.write_folder(folder, "").commit("the first files");
        repository
    }

    /// The folder of the work tree, with `.git` in it.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The folder that holds the objects.
    pub(crate) fn git_folder(&self) -> std::path::PathBuf {
        // Without the `/` at the end, which some who take it put there again.
        self.state.lock().unwrap().repository.path().components().collect()
    }

    pub(crate) fn file_url(&self) -> String {
        format!("file://{}", self.directory.path().display())
    }

    /// Puts a file into the next commit.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        self.change(Change::Put {
            path: path.to_owned(),
            content: content.as_ref().to_vec(),
            mode: FileMode::Blob,
        })
    }

    /// Puts every file of a folder into the next commit, below `prefix`.
    pub(crate) fn write_folder(&self, folder: &Path, prefix: &str) -> &Self {
        let mut entries: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()).collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name().into_string().unwrap();
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            if entry.file_type().unwrap().is_dir() {
                self.write_folder(&entry.path(), &path);
            } else {
                self.write(&path, std::fs::read(entry.path()).unwrap());
            }
        }
        self
    }

    /// The text of a file as the branch has it.
    pub(crate) fn read(&self, path: &str) -> String {
        let state = self.state.lock().unwrap();
        let tree = state.head_tree().expect("the branch has a commit");
        let entry = tree.get_path(Path::new(path)).unwrap();
        let blob = state.repository.find_blob(entry.id()).unwrap();
        String::from_utf8(blob.content().to_vec()).unwrap()
    }

    pub(crate) fn symlink(&self, path: &str, target: &str) -> &Self {
        self.change(Change::Put {
            path: path.to_owned(),
            content: target.as_bytes().to_vec(),
            mode: FileMode::Link,
        })
    }

    /// Puts a submodule into the next commit; its commit is in no repository.
    pub(crate) fn submodule(&self, path: &str) -> &Self {
        let commit = Oid::from_str("1234567890123456789012345678901234567890").unwrap();
        self.change(Change::Link { path: path.to_owned(), commit })
    }

    pub(crate) fn remove(&self, path: &str) -> &Self {
        self.change(Change::Remove { path: path.to_owned() })
    }

    fn change(&self, change: Change) -> &Self {
        self.state.lock().unwrap().changes.push(change);
        self
    }

    /// Makes a commit of what was gathered on top of the branch.
    pub(crate) fn commit(&self, message: &str) -> Commit {
        let mut state = self.state.lock().unwrap();
        let parent = state.head();
        let tree = state.tree_with_changes(parent);
        state.add_commit(tree, &parent.into_iter().collect::<Vec<_>>(), message)
    }

    /// Makes a commit that undoes another one of this branch.
    pub(crate) fn revert(&self, commit: &Commit) -> Commit {
        let mut state = self.state.lock().unwrap();
        let head = state.head().expect("there is something to revert");
        let (tree, subject) = {
            let repository = &state.repository;
            let undone = repository.find_commit(Oid::from_str(commit.as_str()).unwrap()).unwrap();
            let ours = repository.find_commit(head).unwrap();
            let mut index = repository.revert_commit(&undone, &ours, 0, None).unwrap();
            assert!(!index.has_conflicts(), "reverting {commit} conflicts with what came after");
            (
                index.write_tree_to(repository).unwrap(),
                undone.summary().unwrap().unwrap().to_owned(),
            )
        };
        let message = format!("Revert \"{subject}\"\n\nThis reverts commit {commit}.\n");
        state.add_commit(tree, &[head], &message)
    }

    /// Merges another commit, taking its files and keeping ours where only we changed them.
    pub(crate) fn merge(&self, other: &Commit, message: &str) -> Commit {
        let mut state = self.state.lock().unwrap();
        let head = state.head().expect("there is something to merge into");
        let other = Oid::from_str(other.as_str()).unwrap();
        let tree = {
            let repository = &state.repository;
            let ours = repository.find_commit(head).unwrap();
            let theirs = repository.find_commit(other).unwrap();
            let mut index = repository.merge_commits(&ours, &theirs, None).unwrap();
            assert!(!index.has_conflicts(), "the merge conflicts");
            index.write_tree_to(repository).unwrap()
        };
        state.add_commit(tree, &[head, other], message)
    }

    /// Moves the branch to any commit, as a force-push does.
    pub(crate) fn force_to(&self, commit: &Commit) -> &Self {
        let state = self.state.lock().unwrap();
        let target = Oid::from_str(commit.as_str()).unwrap();
        let name = format!("refs/heads/{}", state.branch);
        state.repository.reference(&name, target, true, "forced").unwrap();
        drop(state);
        self
    }

    /// Makes `branch` at the head where it is not there yet, and makes the next commits on it.
    pub(crate) fn switch_to(&self, branch: &str) -> &Self {
        let mut state = self.state.lock().unwrap();
        let name = format!("refs/heads/{branch}");
        if let Some(head) = state.head()
            && state.repository.refname_to_id(&name).is_err()
        {
            state.repository.reference(&name, head, false, "a branch").unwrap();
        }
        branch.clone_into(&mut state.branch);
        drop(state);
        self
    }

    pub(crate) fn delete_branch(&self, branch: &str) -> &Self {
        let state = self.state.lock().unwrap();
        let name = format!("refs/heads/{branch}");
        state.repository.find_reference(&name).unwrap().delete().unwrap();
        drop(state);
        self
    }

    /// Puts a light tag on a commit.
    pub(crate) fn tag(&self, name: &str, commit: &Commit) -> &Self {
        let state = self.state.lock().unwrap();
        let target = Oid::from_str(commit.as_str()).unwrap();
        state.repository.reference(&format!("refs/tags/{name}"), target, true, "a tag").unwrap();
        drop(state);
        self
    }

    /// The commit that the branch is at.
    pub(crate) fn head(&self) -> Commit {
        let head = self.state.lock().unwrap().head().expect("the branch has a commit");
        Commit::new(&head.to_string())
    }

    /// Writes the files of the head into the work tree.
    pub(crate) fn check_out(&self) -> &Self {
        let state = self.state.lock().unwrap();
        let mut how = git2::build::CheckoutBuilder::new();
        let tree = state.head_tree().expect("the branch has a commit").into_object();
        state.repository.checkout_tree(&tree, Some(how.force())).unwrap();
        drop(tree);
        drop(state);
        self
    }
}

impl State {
    fn head(&self) -> Option<Oid> {
        self.repository.refname_to_id(&format!("refs/heads/{}", self.branch)).ok()
    }

    fn head_tree(&self) -> Option<git2::Tree<'_>> {
        Some(self.repository.find_commit(self.head()?).unwrap().tree().unwrap())
    }

    fn tree_with_changes(&mut self, parent: Option<Oid>) -> Oid {
        let changes = std::mem::take(&mut self.changes);
        let repository = &self.repository;
        let base = if let Some(parent) = parent {
            repository.find_commit(parent).unwrap().tree().unwrap()
        } else {
            let empty = repository.treebuilder(None).unwrap().write().unwrap();
            repository.find_tree(empty).unwrap()
        };
        // The last word on a path counts, and what goes makes room for what comes.
        let last: BTreeMap<String, Change> =
            changes.into_iter().map(|change| (change.path().to_owned(), change)).collect();
        let (mut removals, mut additions) = (TreeUpdateBuilder::new(), TreeUpdateBuilder::new());
        for (path, change) in last {
            let before = base.get_path(Path::new(&path)).ok();
            let leaf = before.filter(|before| before.kind() != Some(git2::ObjectType::Tree));
            if leaf.is_some_and(|leaf| change.mode() != Some(leaf.filemode())) {
                removals.remove(&path);
            }
            match change {
                Change::Put { content, mode, .. } => {
                    additions.upsert(path, repository.blob(&content).unwrap(), mode);
                }
                Change::Link { commit, .. } => {
                    additions.upsert(path, commit, FileMode::Commit);
                }
                Change::Remove { .. } => {}
            }
        }
        let fewer = removals.create_updated(repository, &base).unwrap();
        additions.create_updated(repository, &repository.find_tree(fewer).unwrap()).unwrap()
    }

    fn add_commit(&mut self, tree: Oid, parents: &[Oid], message: &str) -> Commit {
        let time = Time::new(FIRST_COMMIT + 60 * self.commits, 0);
        let who = Signature::new("Ada Operator", "ada@example.test", &time).unwrap();
        self.commits += 1;
        let repository = &self.repository;
        let parents: Vec<_> =
            parents.iter().map(|parent| repository.find_commit(*parent).unwrap()).collect();
        let parents: Vec<_> = parents.iter().collect();
        let tree = repository.find_tree(tree).unwrap();
        let branch = format!("refs/heads/{}", self.branch);
        let id = repository.commit(Some(&branch), &who, &who, message, &tree, &parents).unwrap();
        Commit::new(&id.to_string())
    }
}

#[test]
fn the_same_story_has_the_same_commits() {
    let story = || {
        let repository = TestRepo::new();
        let first = repository.write("a/b.yaml", "a: 1").write("c.yaml", "c: 1").commit("one");
        let second = repository.remove("c.yaml").commit("two");
        let third = repository.revert(&second);
        assert_eq!(repository.head(), third);
        repository.check_out();
        assert_eq!(std::fs::read_to_string(repository.path().join("c.yaml")).unwrap(), "c: 1");
        repository.force_to(&first);
        assert_eq!(repository.head(), first);
        [first, second, third]
    };
    assert_eq!(story(), story());
}
