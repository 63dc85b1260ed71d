//! The wire: the `git` program fetches into a mirror, in an environment of its own making.
//!
//! Nobody's configuration, hooks, credential helpers or prompts take part, only one protocol may
//! be spoken, and a token travels in the environment of the child, never in its arguments.

use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use crate::model::Commit;
use crate::model::Secret;
use crate::model::shell::quoted;

use super::Pushed;
use super::SourceError;
use super::address::Address;
use super::error::near;
use super::push;
use super::settings::Branch;
use super::settings::Login;

/// What `git` and `ssh` may still see of our environment: how to get out, and whom to trust.
const INHERITED: [&str; 12] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
    "ALL_PROXY",
];

/// An error's last lines are kept; a server may send a banner of any length.
const LONGEST_COMPLAINT: usize = 16 * 1024;

/// The `git` program over one mirror and one remote.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) address: Address,
    pub(super) login: Login,
    pub(super) limit: Duration,
    pub(super) mirror: PathBuf,
    /// What stands in for everybody's `~/.gitconfig`.
    pub(super) configuration: PathBuf,
}

/// How a run of `git` ended.
struct Ended {
    success: bool,
    output: String,
    complaint: String,
}

impl Wire {
    /// Brings the branch of the remote into the mirror, under its own name.
    pub(super) async fn fetch_branch(&self, branch: &Branch) -> Result<(), SourceError> {
        let reference = branch.reference();
        let ended = self.fetch(&[], &[format!("+{reference}:{reference}")]).await?;
        if ended.success {
            return Ok(());
        }
        if ended.complaint.contains("couldn't find remote ref") {
            let names = self.branches().await?;
            let (address, branch) = (self.address.to_string(), branch.to_string());
            return Err(if names.is_empty() {
                SourceError::Empty { address, branch }
            } else {
                let near = near(&branch, names.iter().map(String::as_str));
                SourceError::BranchMissing { address, branch, near }
            });
        }
        Err(self.explain(&ended.complaint))
    }

    /// Moves a branch of the remote, if it is still where it was: `git`'s lease is a
    /// compare-and-swap. A branch that is to be made must not be there.
    pub(super) async fn push(
        &self,
        branch: &Branch,
        from: Option<&Commit>,
        to: &Commit,
    ) -> Result<Pushed, SourceError> {
        let (remote, reference) = (self.remote(), branch.reference());
        let expected = from.map_or("", Commit::as_str);
        let lease = format!("--force-with-lease={reference}:{expected}");
        let refspec = format!("{to}:{reference}");
        let mut arguments = vec!["push", "--quiet", "--porcelain", "--no-verify", "--thin"];
        arguments.extend(["--no-follow-tags", "--recurse-submodules=no", &lease, "--"]);
        arguments.extend([remote.as_str(), &refspec]);
        let ended = self.run(&arguments).await?;
        if ended.success {
            return Ok(Pushed::Done);
        }
        let (output, complaint) = (&ended.output, &ended.complaint);
        push::refusal(&self.address, branch.as_str(), output, complaint)
            .unwrap_or_else(|| Err(push::of_writing(self.explain(complaint))))
    }

    /// Brings every branch and tag into the mirror.
    pub(super) async fn fetch_everything(&self) -> Result<(), SourceError> {
        let everything = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
        let ended = self.fetch(&["--prune"], &everything.map(str::to_owned)).await?;
        if ended.success { Ok(()) } else { Err(self.explain(&ended.complaint)) }
    }

    /// Brings one commit into the mirror, where the server hands out what no branch leads to.
    pub(super) async fn fetch_commit(&self, commit: &str) -> Result<(), SourceError> {
        let ended = self.fetch(&[], &[format!("{commit}:refs/tenantry/asked")]).await?;
        if ended.success { Ok(()) } else { Err(self.explain(&ended.complaint)) }
    }

    async fn fetch(&self, options: &[&str], refspecs: &[String]) -> Result<Ended, SourceError> {
        let mut arguments = vec!["fetch", "--quiet", "--no-tags", "--no-write-fetch-head"];
        arguments.extend(["--no-auto-maintenance", "--no-recurse-submodules"]);
        arguments.extend(options);
        arguments.push("--");
        let remote = self.remote();
        arguments.push(&remote);
        arguments.extend(refspecs.iter().map(String::as_str));
        self.run(&arguments).await
    }

    async fn branches(&self) -> Result<Vec<String>, SourceError> {
        let remote = self.remote();
        let ended = self.run(&["ls-remote", "--quiet", "--branches", "--", &remote]).await?;
        if !ended.success {
            return Err(self.explain(&ended.complaint));
        }
        let names = ended.output.lines().filter_map(|line| line.split_once("\trefs/heads/"));
        Ok(names.map(|(_, name)| name.to_owned()).collect())
    }

    /// The folder that holds the refs of a local repository.
    pub(super) async fn local_git_folder(&self, folder: &Path) -> Result<PathBuf, SourceError> {
        let mut command = self.command()?;
        command.arg("-C").arg(folder);
        command.args(["rev-parse", "--path-format=absolute", "--git-common-dir"]);
        let ended = self.finish(command).await?;
        if ended.success {
            Ok(PathBuf::from(ended.output.trim_end()))
        } else {
            Err(self.explain(&ended.complaint))
        }
    }

    /// Packs the mirror when it has grown untidy.
    pub(super) async fn tidy(&self) -> Result<(), SourceError> {
        let ended = self.run(&["gc", "--auto", "--quiet", "--no-detach"]).await?;
        if ended.success { Ok(()) } else { Err(self.explain(&ended.complaint)) }
    }

    async fn run(&self, arguments: &[&str]) -> Result<Ended, SourceError> {
        let mut command = self.command()?;
        command.arg("--git-dir").arg(&self.mirror).args(arguments);
        self.finish(command).await
    }

    /// What `git` is told to talk to. A folder is absolute: it never reads as a host's name.
    fn remote(&self) -> String {
        self.address.to_string()
    }

    fn command(&self) -> Result<Command, SourceError> {
        let mut command = Command::new("git");
        command.env_clear();
        for name in INHERITED {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", &self.configuration)
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_ALLOW_PROTOCOL", self.address.protocol())
            .env("GIT_PROTOCOL_FROM_USER", "0")
            .env("GIT_SSH_VARIANT", "ssh")
            .env("GIT_SSH_COMMAND", self.ssh_command());
        let settings = self.one_time_settings()?;
        command.env("GIT_CONFIG_COUNT", settings.len().to_string());
        for (position, (key, value)) in settings.into_iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{position}"), key);
            command.env(format!("GIT_CONFIG_VALUE_{position}"), value);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // `git` starts helpers; as a group they can be ended together.
            .process_group(0)
            .kill_on_drop(true);
        Ok(command)
    }

    fn one_time_settings(&self) -> Result<Vec<(String, OsString)>, SourceError> {
        let mut settings: Vec<(String, OsString)> = [
            ("core.hooksPath", "/dev/null"),
            ("core.askPass", ""),
            ("credential.helper", ""),
            ("protocol.version", "2"),
            // A token must not follow a redirection to somebody else.
            ("http.followRedirects", "false"),
            ("http.lowSpeedLimit", "1"),
            ("http.lowSpeedTime", "60"),
            ("fetch.writeCommitGraph", "false"),
            // What is pushed are small changes of long lists: the neighbour in history is the one
            // to tell the difference from, and looking further costs more than it saves.
            ("pack.window", "2"),
            ("push.gpgSign", "false"),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), OsString::from(value)))
        .collect();
        let Address::Https { url, user } = &self.address else { return Ok(settings) };
        if let Some(file) = &self.login.git_ca_file {
            settings.push(("http.sslCAInfo".to_owned(), file.into()));
        }
        if let Some(token) = self.login.token()? {
            let user = user.as_ref().unwrap_or(&self.login.token_user);
            let header = format!("Authorization: Basic {}", basic(user, &token).reveal());
            settings.push((format!("http.{url}.extraHeader"), header.into()));
        }
        Ok(settings)
    }

    fn ssh_command(&self) -> OsString {
        let mut command = OsString::from(
            "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes -o UpdateHostKeys=no \
             -o ConnectTimeout=20 -o ServerAliveInterval=15 -o ServerAliveCountMax=3 \
             -o ForwardAgent=no -o ClearAllForwardings=yes -o PermitLocalCommand=no",
        );
        if let Some(file) = &self.login.known_hosts_file {
            command.push(" -o GlobalKnownHostsFile=/dev/null -o UserKnownHostsFile=");
            // `git` gives the command to a shell.
            command.push(quoted(&ssh_path(file)));
        }
        if let Some(file) = &self.login.ssh_key_file {
            command.push(" -o IdentitiesOnly=yes -o IdentityAgent=none -i ");
            command.push(quoted(&file.display().to_string()));
        }
        command
    }

    /// Runs to the end or to the limit, whichever comes first.
    async fn finish(&self, mut command: Command) -> Result<Ended, SourceError> {
        let mut child = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => SourceError::NoGit,
            _ => SourceError::Run(error),
        })?;
        let group = child.id();
        let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
        let whole = async {
            let (output, complaint) =
                tokio::join!(gathered(stdout.as_mut()), gathered(stderr.as_mut()));
            let status = child.wait().await.map_err(SourceError::Run)?;
            Ok(Ended { success: status.success(), output, complaint })
        };
        if let Ok(ended) = tokio::time::timeout(self.limit, whole).await {
            return ended;
        }
        if let Some(group) = group {
            end_group(group).await;
        }
        drop(child.kill().await);
        Err(SourceError::TimedOut { address: self.address.to_string(), limit: self.limit })
    }

    /// What the complaints of `git` and `ssh` come to.
    fn explain(&self, complaint: &str) -> SourceError {
        explain(&self.address, &self.mirror, complaint)
    }
}

async fn gathered(pipe: Option<&mut (impl tokio::io::AsyncRead + Unpin)>) -> String {
    let Some(pipe) = pipe else { return String::new() };
    let mut kept = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = pipe.read(&mut piece).await {
        kept.extend_from_slice(&piece[..length]);
        // The listing of branches is short enough; a complaint matters at its end.
        if kept.len() > 64 * LONGEST_COMPLAINT {
            kept.drain(..kept.len() - LONGEST_COMPLAINT);
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// Ends a process group: there is no other way from safe code than the shell's `kill`.
async fn end_group(group: u32) {
    let script = "kill -TERM -- -$1; sleep 0.2; kill -KILL -- -$1";
    let mut kill = Command::new("/bin/sh");
    kill.args(["-c", script, "sh", &group.to_string()]);
    kill.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    drop(kill.status().await);
}

fn basic(user: &str, token: &Secret) -> Secret {
    Secret::new(STANDARD.encode(format!("{user}:{}", token.reveal())))
}

/// As one word for `ssh`'s own reader of options, which splits at spaces and expands `%`.
fn ssh_path(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('%', "%%"))
}

fn explain(address: &Address, mirror: &Path, complaint: &str) -> SourceError {
    let says = |words: &[&str]| words.iter().any(|word| complaint.contains(word));
    let name = address.to_string();
    if says(&[
        "Host key verification failed",
        "No ED25519 host key is known",
        "host key is known for",
    ]) {
        let (host, port) = match address {
            Address::Ssh { host, port, .. } => (host.clone(), *port),
            Address::Folder(_) | Address::Https { .. } => (name, None),
        };
        return if says(&["REMOTE HOST IDENTIFICATION HAS CHANGED"]) {
            SourceError::HostKeyChanged { host }
        } else {
            SourceError::HostKeyUnknown { host, port }
        };
    }
    if says(&[
        "Authentication failed",
        "could not read Username",
        "could not read Password",
        "returned error: 401",
    ]) {
        let fix = "give a token that may read it with --token-file";
        return SourceError::Login { address: name, fix };
    }
    if says(&["returned error: 403"]) {
        let fix = "the token is known there, and may not read this repository: widen its rights";
        return SourceError::Login { address: name, fix };
    }
    if says(&[
        "Permission denied (",
        "Too many authentication failures",
        "bad permissions",
        "error in libcrypto",
    ]) {
        let fix =
            "give a private key that may read it, readable for this user only, with --ssh-key-file";
        return SourceError::Login { address: name, fix };
    }
    if says(&["returned error: 30", "unable to update url base from redirection"]) {
        return SourceError::Moved { address: name };
    }
    if says(&[
        "SSL certificate problem",
        "server certificate verification failed",
        "certificate verify failed",
        "SSL: no alternative certificate",
    ]) {
        return SourceError::Certificate { address: name, detail: gist(complaint) };
    }
    // A branch that was a folder of branches before, or the other way round.
    if says(&["exists; cannot create"]) {
        return SourceError::Broken { folder: mirror.to_owned(), detail: gist(complaint) };
    }
    if says(&["cannot lock ref", ".lock': File exists"]) {
        return SourceError::Locked;
    }
    if says(&["does not appear to be a git repository", "not a git repository"]) {
        return match address.folder() {
            Some(folder) if folder.exists() => SourceError::NotARepository { address: name },
            _ => SourceError::NotFound { address: name },
        };
    }
    if says(&[
        "returned error: 404",
        "cannot change to",
        "Repository not found",
        "repository not found",
        "could not be found",
    ]) || complaint.contains("fatal: repository '") && complaint.contains("' not found")
    {
        return SourceError::NotFound { address: name };
    }
    if says(&["Permission denied", "detected dubious ownership"]) && address.folder().is_some() {
        let fix = "let this user read its files";
        return SourceError::Login { address: name, fix };
    }
    if says(&[
        "object file",
        "loose object",
        "bad object",
        "is corrupt",
        "packfile",
        "did not send all necessary objects",
        "missing blob",
        "invalid index-pack",
    ]) {
        return SourceError::Broken { folder: mirror.to_owned(), detail: gist(complaint) };
    }
    SourceError::Unreachable { address: name, detail: gist(complaint) }
}

/// The one line of a complaint that says most.
fn gist(complaint: &str) -> String {
    let lines = || complaint.lines().map(str::trim).filter(|line| !line.is_empty());
    let telling = |line: &&str| {
        ["fatal: ", "error: ", "ssh: "].iter().any(|start| line.starts_with(start))
            && !line.contains("Could not read from remote repository")
    };
    let line =
        lines().find(telling).or_else(|| lines().next_back()).unwrap_or("`git` said nothing");
    let line =
        ["fatal: ", "error: "].iter().find_map(|start| line.strip_prefix(start)).unwrap_or(line);
    line.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(address: &str, complaint: &str) -> String {
        explain(&address.parse().unwrap(), Path::new("/cache"), complaint).to_string()
    }

    #[test]
    fn what_git_complains_of_is_told_with_the_fix() {
        for (address, complaint, expected) in [
            (
                "https://example.com/t",
                "fatal: could not read Username for 'https://example.com': terminal prompts disabled",
                "https://example.com/t refuses the login: give a token that may read it with --token-file",
            ),
            (
                "https://example.com/t",
                "fatal: unable to access 'https://example.com/t/': Could not resolve host: example.com",
                "https://example.com/t cannot be reached: unable to access 'https://example.com/t/': Could not resolve host: example.com",
            ),
            (
                "git@example.com:t",
                "No ED25519 host key is known for example.com and you have requested strict checking.\r\nHost key verification failed.\r\nfatal: Could not read from remote repository.",
                "the host key of example.com is not known: check it with the host's owner, then add it with `ssh-keyscan example.com` to the file of --known-hosts-file",
            ),
            (
                "ssh://git@example.com:2222/t",
                "@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@\nHost key verification failed.",
                "the host key of example.com has changed: somebody may be in between; ask the host's owner, and only then replace it in the file of --known-hosts-file",
            ),
            (
                "git@example.com:t",
                "git@example.com: Permission denied (publickey).\r\nfatal: Could not read from remote repository.",
                "git@example.com:t refuses the login: give a private key that may read it, readable for this user only, with --ssh-key-file",
            ),
            (
                "https://example.com/t",
                "fatal: unable to access 'https://example.com/t/': The requested URL returned error: 301",
                "https://example.com/t has moved: set --repository to where it is now",
            ),
            (
                "/nowhere/at/all",
                "fatal: '/nowhere/at/all' does not appear to be a git repository",
                "there is no repository at /nowhere/at/all, or it may not be seen: check --repository and the login",
            ),
            (
                "/",
                "fatal: '/' does not appear to be a git repository",
                "/ is not a Git repository: name the folder that holds `.git`, or run `git init` there",
            ),
        ] {
            assert_eq!(told(address, complaint), expected);
        }
    }

    #[test]
    fn paths_are_one_word_to_the_shell_and_to_ssh() {
        let path = ssh_path(Path::new("/a b/it's 100%"));
        assert_eq!(quoted(&path), r#"'"/a b/it'\''s 100%%"'"#);
    }
}
