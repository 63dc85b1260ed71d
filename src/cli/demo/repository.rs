//! The repository of the demo: a real one, with a work tree that one can go on with by hand.

use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use git2::Oid;
use git2::Repository as Git;
use git2::RepositoryInitOptions;
use git2::Signature;
use git2::build::CheckoutBuilder;

use crate::model::Commit;

use super::example::File;

/// A repository with a branch `main`.
pub(super) struct Repository {
    git: Git,
    folder: PathBuf,
}

impl Repository {
    pub(super) fn new(folder: &Path) -> anyhow::Result<Self> {
        let mut options = RepositoryInitOptions::new();
        options.initial_head("main").external_template(false);
        let git = Git::init_opts(folder, &options)
            .with_context(|| format!("no repository can be made in {}", folder.display()))?;
        Ok(Self { git, folder: folder.to_owned() })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Commits new or changed files.
    pub(super) fn write(&self, message: &str, files: &[File]) -> anyhow::Result<Commit> {
        let mut index = self.git.index()?;
        for (path, text) in files {
            let file = self.folder.join(path);
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(file, text)?;
            index.add_path(Path::new(path))?;
        }
        index.write()?;
        self.commit(message, index.write_tree()?)
    }

    /// Commits the removal of folders.
    pub(super) fn remove(&self, message: &str, folders: &[&str]) -> anyhow::Result<Commit> {
        let mut index = self.git.index()?;
        for folder in folders {
            std::fs::remove_dir_all(self.folder.join(folder))?;
            index.remove_dir(Path::new(folder), 0)?;
        }
        index.write()?;
        self.commit(message, index.write_tree()?)
    }

    /// Commits the opposite of a commit, as `git revert` does.
    pub(super) fn revert(&self, commit: &Commit) -> anyhow::Result<Commit> {
        let undone = self.git.find_commit(Oid::from_str(commit.as_str())?)?;
        let head = self.git.head()?.peel_to_commit()?;
        let tree = self.git.revert_commit(&undone, &head, 0, None)?.write_tree_to(&self.git)?;
        let subject = undone.summary()?.unwrap_or_default();
        let message = format!("Revert \"{subject}\"\n\nThis reverts commit {commit}.\n");
        let reverted = self.commit(&message, tree)?;
        self.git.checkout_head(Some(CheckoutBuilder::new().force()))?;
        Ok(reverted)
    }

    /// The text of a file as it was last committed.
    pub(super) fn text(&self, path: &str) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.folder.join(path))?)
    }

    fn commit(&self, message: &str, tree: Oid) -> anyhow::Result<Commit> {
        let who = Signature::now("Ada Operator", "ada@pods.example")?;
        let tree = self.git.find_tree(tree)?;
        let parent = self.git.head().ok().map(|head| head.peel_to_commit()).transpose()?;
        let parents: Vec<_> = parent.iter().collect();
        let id = self.git.commit(Some("HEAD"), &who, &who, message, &tree, &parents)?;
        Ok(Commit::new(&id.to_string()))
    }
}
