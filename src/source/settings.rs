//! What has to be said about the repository: where it is, how to log in, how often to look.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;

use crate::model::Secret;

use super::SourceError;
use super::address::Address;

/// Where the tenants' repository is, how to log in there, and how often to look at it.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Repository")]
pub struct Settings {
    /// Read tenants from this repository: a folder, file://, https://, ssh:// or user@host:path
    #[arg(long, value_name = "URL", env = "TENANTRY_REPOSITORY")]
    pub repository: Address,

    /// Follow this branch
    #[arg(long, value_name = "NAME", env = "TENANTRY_BRANCH", default_value = "main")]
    pub branch: Branch,

    /// Read only this folder of the repository
    #[arg(long, value_name = "FOLDER", env = "TENANTRY_PATH", default_value = "")]
    pub path: SubFolder,

    /// Look for new commits this often; webhooks and local commits are noticed at once
    #[arg(long, value_name = "TIME", env = "TENANTRY_POLL", default_value = "30s")]
    pub poll: Interval,

    /// Give up a fetch that takes longer than this
    #[arg(long, value_name = "TIME", env = "TENANTRY_FETCH_TIMEOUT", default_value = "5m")]
    pub fetch_timeout: Interval,

    #[command(flatten)]
    pub login: Login,
}

/// How to log in to a remote repository. Files are read again at each fetch, so that a rotated
/// secret needs no restart.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Repository")]
pub struct Login {
    /// Log in to https:// with the token in this file, or with the one in `TENANTRY_TOKEN`
    #[arg(long, value_name = "FILE", env = "TENANTRY_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,

    /// The token of `TENANTRY_TOKEN`: never an argument, which every user of the machine could see.
    #[arg(skip = token_from_environment())]
    pub token: Option<Secret>,

    /// Log in to https:// as this user, where the URL names none
    #[arg(
        long,
        value_name = "NAME",
        env = "TENANTRY_TOKEN_USER",
        default_value = "x-access-token"
    )]
    pub token_user: String,

    /// Trust https:// servers whose certificate this PEM file signs, instead of the system's
    #[arg(long, value_name = "FILE", env = "TENANTRY_GIT_CA_FILE")]
    pub git_ca_file: Option<PathBuf>,

    /// Log in to ssh:// with the private key in this file
    #[arg(long, value_name = "FILE", env = "TENANTRY_SSH_KEY_FILE")]
    pub ssh_key_file: Option<PathBuf>,

    /// Know ssh:// hosts by the keys in this file, and no others
    #[arg(long, value_name = "FILE", env = "TENANTRY_KNOWN_HOSTS_FILE")]
    pub known_hosts_file: Option<PathBuf>,
}

fn token_from_environment() -> Option<Secret> {
    std::env::var("TENANTRY_TOKEN").ok().filter(|token| !token.is_empty()).map(Secret::new)
}

impl Settings {
    /// The settings for a repository that needs no login, with every other setting as it is by default.
    pub fn of(repository: Address) -> Self {
        Self {
            repository,
            branch: Branch("main".to_owned()),
            path: SubFolder::default(),
            poll: Interval(Duration::from_secs(30)),
            fetch_timeout: Interval(Duration::from_mins(5)),
            login: Login { token_user: "x-access-token".to_owned(), ..Login::default() },
        }
    }
}

impl Login {
    /// The token, read now.
    pub(super) fn token(&self) -> Result<Option<Secret>, SourceError> {
        let Some(file) = &self.token_file else { return Ok(self.token.clone()) };
        let text = std::fs::read_to_string(file)
            .map_err(|source| SourceError::TokenFile { file: file.clone(), source })?;
        Ok(Some(Secret::new(text.trim())))
    }
}

/// A time that is not zero, written as `30s` or `5m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval(pub Duration);

/// What was written where an [`Interval`] belongs.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a time: write it as in `500ms`, `30s` or `5m`")]
pub struct InvalidInterval(String);

impl FromStr for Interval {
    type Err = InvalidInterval;

    fn from_str(text: &str) -> Result<Self, InvalidInterval> {
        let wrong = || InvalidInterval(text.to_owned());
        let time: SignedDuration = text.parse().map_err(|_| wrong())?;
        let time = Duration::try_from(time).map_err(|_| wrong())?;
        if time.is_zero() { Err(wrong()) } else { Ok(Self(time)) }
    }
}

/// The name of a branch, without `refs/heads/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch(String);

/// What was written where a [`Branch`] belongs.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` cannot be the name of a branch: write it as in `main`")]
pub struct InvalidBranch(String);

impl Branch {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn reference(&self) -> String {
        format!("refs/heads/{}", self.0)
    }
}

impl FromStr for Branch {
    type Err = InvalidBranch;

    fn from_str(text: &str) -> Result<Self, InvalidBranch> {
        let name = text.strip_prefix("refs/heads/").unwrap_or(text);
        let reference = format!("refs/heads/{name}");
        if name.starts_with('-') || !git2::Reference::is_valid_name(&reference) {
            return Err(InvalidBranch(text.to_owned()));
        }
        Ok(Self(name.to_owned()))
    }
}

impl std::fmt::Display for Branch {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

/// A folder inside the repository, or the whole of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubFolder(String);

/// What was written where a [`SubFolder`] belongs.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a folder inside the repository: write it as in `hosting/tenants`")]
pub struct InvalidSubFolder(String);

impl SubFolder {
    /// Empty for the whole repository; otherwise without `/` at its ends.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SubFolder {
    type Err = InvalidSubFolder;

    fn from_str(text: &str) -> Result<Self, InvalidSubFolder> {
        let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        if text.starts_with('/') || parts.contains(&"..") || text.contains('\0') {
            return Err(InvalidSubFolder(text.to_owned()));
        }
        Ok(Self(parts.join("/")))
    }
}

impl std::fmt::Display for SubFolder {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Command {
        #[command(flatten)]
        source: Settings,
    }

    fn parsed(arguments: &[&str]) -> Result<Settings, String> {
        let command: Result<Command, _> =
            clap::Parser::try_parse_from(["tenantry"].iter().chain(arguments));
        command.map(|command| command.source).map_err(|error| error.to_string())
    }

    #[test]
    fn a_repository_is_enough() {
        let settings = parsed(&["--repository", "/srv/tenants"]).unwrap();
        assert_eq!(settings.branch.as_str(), "main");
        assert_eq!(settings.poll.0, Duration::from_secs(30));
        assert_eq!(settings.path.as_str(), "");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_an_example() {
        for (arguments, expected) in [
            (["--branch", "a..b"], "`a..b` cannot be the name of a branch: write it as in `main`"),
            (["--path", "../up"], "`../up` is not a folder inside the repository"),
            (["--poll", "often"], "`often` is not a time: write it as in `500ms`, `30s` or `5m`"),
            (["--poll", "0s"], "`0s` is not a time"),
        ] {
            let error = parsed(&[&["--repository", "/srv"], &arguments[..]].concat()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        let error = parsed(&["--repository", "ftp://a/b"]).unwrap_err();
        assert!(error.contains("`ftp://` is not a way to reach a repository"), "{error}");
    }

    #[test]
    fn a_password_on_the_command_line_is_refused_without_being_repeated() {
        let error = parsed(&["--repository", "https://ada:hunter2@example.com/t"]).unwrap_err();
        assert!(error.contains("put it into a file and name it with --token-file"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_sub_folder_is_written_in_one_way() {
        for (text, expected) in [("", ""), (".", ""), ("./a//b/", "a/b")] {
            assert_eq!(text.parse::<SubFolder>().unwrap().as_str(), expected);
        }
    }

    #[test]
    fn settings_do_not_print_the_token() {
        let mut settings = Settings::of("/srv".parse().unwrap());
        settings.login.token = Some(Secret::new("hunter2"));
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
