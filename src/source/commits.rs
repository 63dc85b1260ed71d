//! Facts of commits: who, when, why, what came before, and which paths changed.

use git2::Oid;
use git2::Repository;
use git2::Sort;
use jiff::Timestamp;
use serde::Serialize;

use crate::model::Commit;

use super::SourceError;
use super::error::near;
use super::snapshot::sub_tree;
use super::tree;
use super::tree::LargeFolders;
use super::tree::Leaf;
use super::tree::Stopped;
use super::tree::Visit;

/// What a commit says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CommitFacts {
    pub id: Commit,
    pub parents: Vec<Commit>,
    pub author: Person,
    /// When the author wrote it.
    pub written: Timestamp,
    /// When it was put where it is.
    pub committed: Timestamp,
    pub subject: String,
    /// The lines at the end such as `Intent-Id: …`, in order.
    pub trailers: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person {
    pub name: String,
    pub email: String,
}

impl CommitFacts {
    /// The value of the last trailer of this name.
    pub fn trailer(&self, name: &str) -> Option<&str> {
        let named = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
        self.trailers.iter().rfind(named).map(|(_, value)| value.as_str())
    }
}

/// What became of a path between two commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PathChange {
    pub path: String,
    pub change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    Added,
    Changed,
    Removed,
}

pub(super) fn facts(repository: &Repository, commit: &Commit) -> Result<CommitFacts, SourceError> {
    let commit = repository.find_commit(Oid::from_str(commit.as_str())?)?;
    let author = commit.author();
    let message = commit.message_bytes();
    let trailers = git2::message_trailers_bytes(message).ok();
    let trailers = trailers.iter().flat_map(git2::MessageTrailersBytes::iter);
    Ok(CommitFacts {
        id: of(commit.id()),
        parents: commit.parent_ids().map(of).collect(),
        author: Person { name: text(author.name_bytes()), email: text(author.email_bytes()) },
        written: time(author.when()),
        committed: time(commit.time()),
        subject: text(commit.summary_bytes().unwrap_or_default()),
        trailers: trailers.map(|(key, value)| (text(key), text(value))).collect(),
    })
}

/// The commits that lead to `to` and not to `from`, newest first, at most so many.
pub(super) fn log(
    repository: &Repository,
    from: Option<&Commit>,
    to: &Commit,
    most: usize,
) -> Result<Vec<CommitFacts>, SourceError> {
    let mut walk = repository.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
    walk.push(Oid::from_str(to.as_str())?)?;
    if let Some(from) = from {
        walk.hide(Oid::from_str(from.as_str())?)?;
    }
    walk.take(most).map(|id| facts(repository, &of(id?))).collect()
}

/// What is picked from the messages of the commits that lead to `to` and not to `from`.
pub(super) fn messages<T>(
    repository: &Repository,
    from: Option<&Commit>,
    to: &Commit,
    pick: impl Fn(&[u8]) -> Option<T>,
) -> Result<Vec<(Commit, T)>, SourceError> {
    let mut walk = repository.revwalk()?;
    walk.push(Oid::from_str(to.as_str())?)?;
    if let Some(from) = from {
        walk.hide(Oid::from_str(from.as_str())?)?;
    }
    let mut picked = Vec::new();
    for id in walk {
        let id = id?;
        if let Some(value) = pick(repository.find_commit(id)?.message_bytes()) {
            picked.push((of(id), value));
        }
    }
    Ok(picked)
}

/// The paths below a folder that differ between two commits, in order.
pub(super) fn changed_paths(
    repository: &Repository,
    folder: &str,
    from: Option<&Commit>,
    to: &Commit,
) -> Result<Vec<PathChange>, SourceError> {
    struct Paths(Vec<PathChange>);
    impl Visit for Paths {
        fn differs(
            &mut self,
            path: &str,
            old: Option<Leaf>,
            new: Option<Leaf>,
        ) -> Result<(), SourceError> {
            let change = match (old, new) {
                (None, _) => Change::Added,
                (_, None) => Change::Removed,
                _ => Change::Changed,
            };
            self.0.push(PathChange { path: path.to_owned(), change });
            Ok(())
        }
    }
    let new = sub_tree(repository, folder, to)?;
    let old = from.map(|from| sub_tree(repository, folder, from)).transpose()?;
    let mut paths = Paths(Vec::new());
    match tree::compare(repository, &mut LargeFolders::default(), old, Some(new), &mut paths) {
        Ok(()) => Ok(paths.0),
        Err(Stopped::Because(error)) => Err(error),
        Err(Stopped::TooMany(most)) => {
            Err(SourceError::TooMuch { commit: to.clone(), what: "too many changed paths", most })
        }
    }
}

/// The commit that a name stands for: a branch, a tag, a full or short id, `HEAD~1`.
pub(super) fn resolve(repository: &Repository, name: &str) -> Result<Commit, SourceError> {
    let object = repository.revparse_single(name).and_then(|object| object.peel_to_commit());
    match object {
        Ok(commit) => Ok(of(commit.id())),
        Err(error) if error.code() == git2::ErrorCode::Ambiguous => {
            Err(SourceError::Ambiguous { name: name.to_owned() })
        }
        Err(_) => Err(SourceError::NoSuchRevision {
            name: name.to_owned(),
            near: near_names(repository, name),
        }),
    }
}

fn near_names(repository: &Repository, asked: &str) -> Vec<String> {
    let Ok(references) = repository.references() else { return Vec::new() };
    let names: Vec<String> = references
        .filter_map(|reference| {
            let name = reference.ok()?.name().ok()?.to_owned();
            let short = name.strip_prefix("refs/heads/").or(name.strip_prefix("refs/tags/"))?;
            Some(short.to_owned())
        })
        .filter(|name| strsim::normalized_damerau_levenshtein(asked, name) > 0.5)
        .collect();
    near(asked, names.iter().map(String::as_str))
}

/// Whether `new` is `old` or comes after it. A commit that is not there comes before nothing.
pub(super) fn descends(
    repository: &Repository,
    new: &Commit,
    old: &Commit,
) -> Result<bool, SourceError> {
    let (new, old) = (Oid::from_str(new.as_str())?, Oid::from_str(old.as_str())?);
    if new == old {
        return Ok(true);
    }
    if repository.find_commit(old).is_err() {
        return Ok(false);
    }
    Ok(repository.graph_descendant_of(new, old)?)
}

pub(super) fn of(id: Oid) -> Commit {
    Commit::new(&id.to_string())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Commits may claim any time; one outside of the calendar is brought to its edge.
fn time(time: git2::Time) -> Timestamp {
    Timestamp::from_second(time.seconds()).unwrap_or(if time.seconds() < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}
