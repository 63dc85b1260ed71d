//! What a push came to, by what `git push --porcelain` prints and complains of.

use super::Pushed;
use super::SourceError;
use super::address::Address;

/// The words by which `git` and servers say that somebody else was faster.
const MOVED: [&str; 9] = [
    "stale info",
    "fetch first",
    "non-fast-forward",
    "cannot lock ref",
    "failed to update ref",
    "incorrect old value",
    "reference already exists",
    "failed to lock",
    "remote ref updated since checkout",
];

/// The line of a reference that was not taken: `! <from>:<to> [rejected] (why)`.
pub(super) fn refusal(
    address: &Address,
    branch: &str,
    output: &str,
    complaint: &str,
) -> Option<Result<Pushed, SourceError>> {
    let line = output.lines().find(|line| line.starts_with('!'))?;
    if MOVED.iter().any(|words| line.contains(words)) {
        return Some(Ok(Pushed::Moved));
    }
    let why = line.rsplit_once(" (").map_or(line, |(_, why)| why.trim_end_matches(')'));
    let checked_out = ["currently checked out", "unstaged changes", "staged changes"]
        .iter()
        .any(|words| line.contains(words))
        || complaint.contains("refusing to update checked out branch");
    let (address, branch) = (address.to_string(), branch.to_owned());
    Some(Err(if checked_out {
        SourceError::CheckedOut { address, branch, detail: why.to_owned() }
    } else {
        // What a hook of the server prints says more than that it declined.
        let said: Vec<&str> =
            complaint.lines().filter_map(|line| line.strip_prefix("remote: ")).collect();
        let said = said.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
        let said: String = said.chars().take(300).collect();
        let detail = if said.is_empty() { why.to_owned() } else { format!("{why}: {said}") };
        SourceError::PushRefused { address, branch, detail }
    }))
}

/// A complaint in the words of one who writes.
pub(super) fn of_writing(error: SourceError) -> SourceError {
    match error {
        SourceError::Login { address, .. } => SourceError::Login {
            address,
            fix: "commits are pushed there: give a token or a key that may write it, with \
                  --token-file or --ssh-key-file",
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(output: &str, complaint: &str) -> String {
        let address = "/srv/tenants".parse().unwrap();
        match refusal(&address, "main", output, complaint) {
            None => "nothing".to_owned(),
            Some(Ok(pushed)) => format!("{pushed:?}"),
            Some(Err(error)) => error.to_string(),
        }
    }

    #[test]
    fn what_a_remote_does_not_take_is_told_for_what_it_is() {
        for (output, complaint, expected) in [
            ("To /srv\n!\tab:refs/heads/main\t[rejected] (stale info)\nDone", "", "Moved"),
            (
                "!\tab:refs/heads/main\t[remote rejected] (cannot lock ref 'refs/heads/main': is at 1 but expected 2)",
                "",
                "Moved",
            ),
            (
                "!\tab:refs/heads/main\t[remote rejected] (branch is currently checked out)",
                "",
                "/srv/tenants does not take a push to `main`, which is checked out there (branch is currently checked \
                 out): use a bare repository, or run `git config receive.denyCurrentBranch updateInstead` there and \
                 keep its work tree clean",
            ),
            (
                "!\tab:refs/heads/main\t[remote rejected] (pre-receive hook declined)",
                "remote: no orders  \nremote: on Sunday\n",
                "/srv/tenants does not take a push to `main` (pre-receive hook declined: no orders on Sunday): let \
                 this user push there, or choose another branch",
            ),
            ("To /srv\n", "fatal: no", "nothing"),
        ] {
            assert_eq!(told(output, complaint), expected);
        }
    }
}
