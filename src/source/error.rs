//! What can be wrong with a repository, and what to do about it.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::Commit;

/// What is wrong with the repository, or with what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error(
        "there is no repository at {address}, or it may not be seen: check --repository and the login"
    )]
    NotFound { address: String },
    #[error(
        "{address} is not a Git repository: name the folder that holds `.git`, or run `git init` there"
    )]
    NotARepository { address: String },
    #[error("{address} has no commit yet: push one to `{branch}`")]
    Empty { address: String, branch: String },
    #[error("{address} has no branch `{branch}`{}", suggestion(.near, "; its branches are"))]
    BranchMissing { address: String, branch: String, near: Vec<String> },
    #[error("{address} refuses the login: {fix}")]
    Login { address: String, fix: &'static str },
    #[error(
        "the host key of {host} is not known: check it with the host's owner, then add it with \
         `{}` to the file of --known-hosts-file", keyscan(.host, *.port)
    )]
    HostKeyUnknown { host: String, port: Option<u16> },
    #[error(
        "the host key of {host} has changed: somebody may be in between; ask the host's owner, \
         and only then replace it in the file of --known-hosts-file"
    )]
    HostKeyChanged { host: String },
    #[error(
        "the certificate of {address} is not trusted ({detail}): name its signer with --git-ca-file"
    )]
    Certificate { address: String, detail: String },
    #[error("{address} has moved: set --repository to where it is now")]
    Moved { address: String },
    #[error("{address} cannot be reached: {detail}")]
    Unreachable { address: String, detail: String },
    #[error(
        "{address} did not answer in full within {limit:?}: raise --fetch-timeout if it is only slow"
    )]
    TimedOut { address: String, limit: Duration },
    #[error("the program `git` is not there: install it with `apt-get install git`")]
    NoGit,
    #[error("the program `git` could not be run")]
    Run(#[source] io::Error),
    #[error("the token could not be read from {}: make it readable for this user", .file.display())]
    TokenFile { file: PathBuf, source: io::Error },
    #[error("the folder {} could not be used: make it writable for this user", .folder.display())]
    Cache { folder: PathBuf, source: io::Error },
    #[error("the copy of the repository in {} is broken and is made anew", .folder.display())]
    Broken { folder: PathBuf, detail: String },
    #[error("another `git` works on the copy of the repository")]
    Locked,
    #[error("there is no commit `{name}`{}", which_instead(.near))]
    NoSuchRevision { name: String, near: Vec<String> },
    #[error("`{name}` could be several commits: write more of it")]
    Ambiguous { name: String },
    #[error(
        "there is no folder `{folder}` in commit {}: check --path; nothing is read instead of it",
        .commit.short()
    )]
    NoFolder { folder: String, commit: Commit },
    #[error("commit {} holds {what}: at most {most} are read", .commit.short())]
    TooMuch { commit: Commit, what: &'static str, most: usize },
    #[error("{} could not be read", .path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("commit {} is not the one that waits for acceptance{}", .asked.short(), which_waits(.waiting.as_ref()))]
    NothingToAccept { asked: Commit, waiting: Option<Commit> },
    #[error(
        "{address} does not take a push to `{branch}`, which is checked out there ({detail}): use a bare \
         repository, or run `git config receive.denyCurrentBranch updateInstead` there and keep its \
         work tree clean"
    )]
    CheckedOut { address: String, branch: String, detail: String },
    #[error(
        "{address} does not take a push to `{branch}` ({detail}): let this user push there, or choose \
         another branch"
    )]
    PushRefused { address: String, branch: String, detail: String },
    #[error("`{path}` cannot be written: it stands for something else there, or is no path")]
    UnusablePath { path: String },
    #[error("the repository could not be read")]
    Objects(#[from] git2::Error),
}

impl SourceError {
    /// Whether another try could end better without anybody doing anything.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::TimedOut { .. }
                | Self::Broken { .. }
                | Self::Locked
                | Self::Run(_)
        )
    }
}

fn suggestion(near: &[String], lead: &str) -> String {
    let mut text = String::new();
    for (position, name) in near.iter().enumerate() {
        let before = if position == 0 { lead } else { "," };
        write!(text, "{before} `{name}`").expect("a string takes every text");
    }
    text
}

fn which_instead(near: &[String]) -> String {
    match near {
        [] => ": name a commit, branch or tag that the repository has, or push it first".to_owned(),
        near => suggestion(near, "; did you mean"),
    }
}

fn which_waits(commit: Option<&Commit>) -> String {
    match commit {
        Some(commit) => format!("; that is {commit}"),
        None => "; none does".to_owned(),
    }
}

fn keyscan(host: &str, port: Option<u16>) -> String {
    match port {
        Some(port) => format!("ssh-keyscan -p {port} {host}"),
        None => format!("ssh-keyscan {host}"),
    }
}

/// The names that look like the one that was asked for, best first; at most five.
pub(super) fn near<'a>(asked: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut scored: Vec<(usize, &str)> =
        names.into_iter().map(|name| (strsim::damerau_levenshtein(asked, name), name)).collect();
    scored.sort_unstable();
    scored.into_iter().take(5).map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_branch_is_told_with_the_nearest_ones() {
        let near = near("mian", ["trunk", "main", "release"]);
        let error = SourceError::BranchMissing {
            address: "/srv/tenants".into(),
            branch: "mian".into(),
            near,
        };
        assert_eq!(
            error.to_string(),
            "/srv/tenants has no branch `mian`; its branches are `main`, `trunk`, `release`"
        );
    }
}
