//! Intents: what was asked for, by a name of its own, and which commit did it.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use crate::model::Commit;
use crate::source::Remote;
use crate::source::SourceError;

/// The trailer that names the intent of a commit.
pub const TRAILER: &str = "Intent-Id";

/// The name of an intent: 1 to 100 of letters, digits, `.`, `_` and `-`, fit for the name of a
/// branch. Who asks again for the same uses the same name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntentId(String);

/// What was given where an [`IntentId`] belongs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot name an intent: use 1 to 100 letters, digits, `.`, `_` and `-`, no `..`, and a letter or digit at both ends"
)]
pub struct InvalidIntent(String);

impl IntentId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IntentId {
    type Err = InvalidIntent;

    fn from_str(text: &str) -> Result<Self, InvalidIntent> {
        let allowed = |next: char| next.is_ascii_alphanumeric() || "._-".contains(next);
        let ends = |next: char| next.is_ascii_alphanumeric();
        let fits = text.len() <= 100
            && text.starts_with(ends)
            && text.ends_with(ends)
            && text.chars().all(allowed)
            && !text.contains("..")
            && std::path::Path::new(text).extension().is_none_or(|ending| ending != "lock");
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidIntent(text.to_owned())) }
    }
}

impl From<uuid::Uuid> for IntentId {
    fn from(id: uuid::Uuid) -> Self {
        Self(id.to_string())
    }
}

impl fmt::Display for IntentId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The intents on a branch. Each commit is looked at once.
#[derive(Debug, Default)]
pub(super) struct Intents {
    head: Option<Commit>,
    commits: HashMap<String, Commit>,
    /// By what messages say anywhere: whoever makes one commit of several, or adds lines below the
    /// trailers, leaves them in the middle.
    mentioned: HashMap<String, Commit>,
}

impl Intents {
    /// Looks at the commits that came since the last look. After a rewritten history it begins
    /// anew: what is gone from the branch was not done.
    pub(super) async fn follow(
        &mut self,
        remote: &Remote,
        head: &Commit,
    ) -> Result<(), SourceError> {
        let objects = remote.objects();
        if let Some(last) = &self.head {
            if last == head {
                return Ok(());
            }
            // A mirror that was made anew may not have it any more.
            if !objects.descends(head, last).await.unwrap_or(false) {
                *self = Self::default();
            }
        }
        // Newest first: of two commits of one intent, the older counts.
        for (commit, named) in objects.messages(self.head.as_ref(), head, named).await? {
            let Named { trailer, mentioned } = named;
            self.commits.extend(trailer.map(|intent| (intent, commit.clone())));
            self.mentioned.extend(mentioned.into_iter().map(|intent| (intent, commit.clone())));
        }
        self.head = Some(head.clone());
        Ok(())
    }

    pub(super) fn commit_of(&self, intent: &IntentId) -> Option<&Commit> {
        self.commits.get(intent.as_str())
    }

    /// The commit by which people did what an intent wants, of which a branch was made for them.
    pub(super) fn merged_by(&self, intent: &IntentId) -> Option<&Commit> {
        self.commit_of(intent).or_else(|| self.mentioned.get(intent.as_str()))
    }

    /// Says that the branch moved to a commit of our own making.
    pub(super) fn add(
        &mut self,
        made: impl IntoIterator<Item = (IntentId, Commit)>,
        head: &Commit,
    ) {
        self.commits.extend(made.into_iter().map(|(intent, commit)| (intent.0, commit)));
        self.head = Some(head.clone());
    }
}

/// The intents that a message names.
#[derive(Debug, Default, PartialEq, Eq)]
struct Named {
    trailer: Option<String>,
    /// In lines that look like the trailer, wherever they stand.
    mentioned: Vec<String>,
}

fn named(message: &[u8]) -> Option<Named> {
    // Most commits are people's, and reading trailers properly takes its time.
    let name = TRAILER.as_bytes();
    if !message.windows(name.len()).any(|window| window.eq_ignore_ascii_case(name)) {
        return None;
    }
    let text = String::from_utf8_lossy(message);
    let mentioned = text.lines().filter_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim().eq_ignore_ascii_case(TRAILER).then(|| value.trim().to_owned())
    });
    Some(Named { trailer: of_message(message), mentioned: mentioned.collect() })
}

/// The intent that a message names in its trailers.
pub(super) fn of_message(message: &[u8]) -> Option<String> {
    let name = TRAILER.as_bytes();
    let trailers = git2::message_trailers_bytes(message).ok()?;
    let mut named = trailers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    named.next_back().map(|(_, value)| String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intent_is_fit_for_a_branch() {
        for good in ["a", "renewal-acme.school_2026-11", "0190b5b0-7b7a-7000-8000-000000000000"] {
            assert!(good.parse::<IntentId>().is_ok(), "{good}");
            assert!(git2::Reference::is_valid_name(&format!("refs/heads/tenantry/{good}")));
        }
        for bad in ["", "-a", "a.", "a..b", "a/b", "a b", "a.lock", "ä", &"a".repeat(101)] {
            assert!(bad.parse::<IntentId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_was_merged_is_found_wherever_its_line_came_to_stand() {
        let squashed = "Two orders (#12)\n\n* Order a\n\nIntent-Id: a-1\nActor: ada\n\n* Order b\n\n  Intent-Id: b-2\n\nReviewed-on: https://git.example/12\n";
        let found = named(squashed.as_bytes()).unwrap();
        assert_eq!(
            (found.trailer, found.mentioned),
            (None, vec!["a-1".to_owned(), "b-2".to_owned()])
        );
        assert_eq!(named(b"Order"), None);
        let own = named(b"Order\n\nIntent-Id: a-1\n").unwrap();
        assert_eq!((own.trailer.as_deref(), own.mentioned.len()), (Some("a-1"), 1));
    }

    #[test]
    fn only_a_trailer_names_an_intent() {
        for (message, expected) in [
            ("Order\n\nIntent-Id: a-1\n", Some("a-1")),
            ("Order\n\nText.\n\nActor: ada\nintent-id: a-1\nOrder: 7\n", Some("a-1")),
            ("Order\n\nIntent-Id: a-1\n\nActor: ada\n", None),
            ("Intent-Id: a-1", None),
            ("Order", None),
        ] {
            assert_eq!(of_message(message.as_bytes()).as_deref(), expected, "{message}");
        }
    }
}
