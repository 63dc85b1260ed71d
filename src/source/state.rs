//! How the source stands: reachable or not, since when and why, and what it was last seen at.

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

use crate::model::Commit;

use super::Head;
use super::SourceError;
use super::address::Address;
use super::guard::Rewritten;

/// How the source stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct State {
    pub reach: Reach,
    /// The commit that everything converges to.
    pub accepted: Option<Commit>,
    /// Why that is not the branch's head, where it is not.
    pub refused: Option<Rewritten>,
    /// When the branch was last seen.
    pub looked: Option<Timestamp>,
}

/// Whether the branch can be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reach", rename_all = "camelCase")]
pub enum Reach {
    /// Nobody has looked yet.
    Unknown,
    Reachable {
        since: Timestamp,
    },
    Unreachable {
        since: Timestamp,
        why: String,
    },
}

/// Keeps the state, and says each change of it once.
#[derive(Debug)]
pub(super) struct Told(watch::Sender<State>);

impl Told {
    pub(super) fn new(accepted: Option<Commit>) -> Self {
        let state = State { reach: Reach::Unknown, accepted, refused: None, looked: None };
        Self(watch::Sender::new(state))
    }

    pub(super) fn listen(&self) -> watch::Receiver<State> {
        self.0.subscribe()
    }

    /// Notes how a look ended.
    pub(super) fn looked(
        &self,
        address: &Address,
        outcome: &Result<Head, SourceError>,
        accepted: Option<Commit>,
    ) {
        let now = Timestamp::now();
        let before = self.0.borrow().clone();
        let after = next(before.clone(), outcome, accepted, now);
        say(address, &before, &after);
        self.0.send_if_modified(|state| {
            let told = State { looked: state.looked, ..after.clone() } != *state;
            *state = after;
            told
        });
    }
}

/// The state after a look.
fn next(
    before: State,
    outcome: &Result<Head, SourceError>,
    accepted: Option<Commit>,
    now: Timestamp,
) -> State {
    match outcome {
        Ok(head) => State {
            reach: match before.reach {
                reach @ Reach::Reachable { .. } => reach,
                Reach::Unknown | Reach::Unreachable { .. } => Reach::Reachable { since: now },
            },
            accepted,
            refused: match head {
                Head::Taken(_) => None,
                Head::Refused(rewritten) => Some(rewritten.clone()),
            },
            looked: Some(now),
        },
        Err(error) => {
            let since = match before.reach {
                Reach::Unreachable { since, .. } => since,
                Reach::Unknown | Reach::Reachable { .. } => now,
            };
            let reach = Reach::Unreachable { since, why: chain(error) };
            State { reach, accepted, ..before }
        }
    }
}

fn say(address: &Address, before: &State, after: &State) {
    match (&before.reach, &after.reach) {
        (Reach::Unreachable { .. }, Reach::Reachable { .. }) => {
            tracing::info!("{address} can be read again");
        }
        (Reach::Unreachable { why: before, .. }, Reach::Unreachable { why, .. })
            if before == why => {}
        (_, Reach::Unreachable { why, .. }) => {
            tracing::warn!("no new commits, what was last taken stays: {why}");
        }
        _ => {}
    }
    if let Some(rewritten) = &after.refused
        && before.refused.as_ref() != Some(rewritten)
    {
        tracing::warn!("{rewritten}");
    }
}

/// An error with what caused it, in one line.
fn chain(error: &SourceError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn away() -> Result<Head, SourceError> {
        Err(SourceError::Unreachable { address: "x".into(), detail: "gone".into() })
    }

    #[test]
    fn it_is_known_since_when_the_source_is_away_and_what_was_last_taken() {
        let commit = Commit::new("1234");
        let start = Told::new(None).0.borrow().clone();
        let seen = next(start, &Ok(Head::Taken(commit.clone())), Some(commit.clone()), at(1));
        assert_eq!(seen.reach, Reach::Reachable { since: at(1) });
        let seen = next(seen, &Ok(Head::Taken(commit.clone())), Some(commit.clone()), at(2));
        assert_eq!(
            (seen.reach.clone(), seen.looked),
            (Reach::Reachable { since: at(1) }, Some(at(2)))
        );
        let gone = next(seen, &away(), Some(commit.clone()), at(3));
        let gone = next(gone, &away(), Some(commit.clone()), at(4));
        assert_eq!(
            gone,
            State {
                reach: Reach::Unreachable { since: at(3), why: "x cannot be reached: gone".into() },
                accepted: Some(commit),
                refused: None,
                looked: Some(at(2)),
            }
        );
    }
}
