//! Settles which of several edits are made: each on top of those before it, all checked at once.
//! Where something is wrong with them, halves are tried, so that a refused edit fails alone.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::Commit;
use crate::model::Finding;
use crate::source::NewCommit;
use crate::source::Scribe;
use crate::source::SourceError;
use crate::source::commits::Person;

use super::Changes;
use super::Edit;
use super::Refused;
use super::SigningKey;
use super::ground::Ground;
use super::message::message;

/// What became of an edit here; it is not pushed yet.
#[derive(Debug)]
pub(super) enum Settled {
    Commit(Commit),
    /// All is as it asks for already.
    Nothing,
    Refused(Refused),
    /// It would break what was right.
    Breaks(Vec<Finding>),
}

/// Commits on top of each other, and what they come to.
pub(super) struct Chain<'a> {
    pub(super) scribe: &'a Scribe,
    pub(super) committer: &'a Person,
    pub(super) signing: Option<&'a SigningKey>,
    pub(super) now: Timestamp,
    pub(super) ground: Arc<Ground>,
    pub(super) head: Commit,
}

impl Chain<'_> {
    /// Settles edits in their order.
    pub(super) fn settle(&mut self, edits: &[&Edit]) -> Result<Vec<Settled>, SourceError> {
        let mut all = Changes::default();
        let drafted: Vec<Result<Changes, Refused>> =
            edits.iter().map(|edit| self.draft(edit, &mut all)).collect();
        if all.is_empty() {
            let settled = drafted.into_iter().map(|drafted| match drafted {
                Ok(_) => Settled::Nothing,
                Err(refused) => Settled::Refused(refused),
            });
            return Ok(settled.collect());
        }
        let next = self.ground.with(&all);
        let broken = next.errors_beyond(&self.ground);
        if broken.is_empty() {
            let settled = edits.iter().zip(drafted).map(|(edit, drafted)| match drafted {
                Ok(changes) if changes.is_empty() => Ok(Settled::Nothing),
                Ok(changes) => self.commit(edit, &changes).map(Settled::Commit),
                Err(refused) => Ok(Settled::Refused(refused)),
            });
            let settled = settled.collect::<Result<_, _>>()?;
            self.ground = Arc::new(next.named(&self.head));
            return Ok(settled);
        }
        if edits.len() == 1 {
            return Ok(vec![Settled::Breaks(broken)]);
        }
        // What was refused as well: it may have been for the sake of what is not made.
        let (first, second) = edits.split_at(edits.len() / 2);
        let mut settled = self.settle(first)?;
        settled.extend(self.settle(second)?);
        Ok(settled)
    }

    fn draft(&self, edit: &Edit, all: &mut Changes) -> Result<Changes, Refused> {
        let mut draft = self.ground.draft(all.clone(), edit.tenant.as_ref());
        (edit.change)(&mut draft)?;
        let changes = draft.done();
        all.extend(changes.clone());
        Ok(changes)
    }

    fn commit(&mut self, edit: &Edit, changes: &Changes) -> Result<Commit, SourceError> {
        let message = message(&edit.subject, &edit.body, &edit.intent, &edit.trailers);
        let new = NewCommit {
            parent: &self.head,
            files: &changes.files(),
            author: &edit.author,
            written: edit.at,
            committer: self.committer,
            committed: self.now,
            message: &message,
        };
        self.head = match self.signing {
            Some(key) => self.scribe.write(&new, Some(&|commit| key.sign(commit)))?,
            None => self.scribe.write(&new, None)?,
        };
        Ok(self.head.clone())
    }
}
