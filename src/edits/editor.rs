//! The editor: takes edits, and says what became of them.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;

use crate::model::ChangeKind;
use crate::model::Commit;
use crate::model::Digest;
use crate::model::Finding;
use crate::model::Name;
use crate::source::Remote;
use crate::source::Settings;
use crate::source::SourceError;
use crate::source::commits::Person;

use super::Changes;
use super::Draft;
use super::IntentId;
use super::Refused;
use super::SigningKey;
use super::ground::Ground;
use super::message::one_line;
use super::queue::Asked;
use super::queue::Queue;
use super::queue::Waiting;

/// What the branches of pull requests begin with.
pub(super) const PROPOSALS: &str = "tenantry/";
/// How many edits may wait; who brings more waits for a place.
const WAITING: usize = 4096;

/// What is to be changed, for whom and why.
#[derive(Clone)]
pub struct Edit {
    /// Whoever asks again for the same uses the same: it is done once.
    pub intent: IntentId,
    /// Who wants it, such as the customer.
    pub author: Person,
    /// When they asked.
    pub at: Timestamp,
    /// The tenant in whose folder alone something may change; none for what an operator does.
    pub tenant: Option<Name>,
    /// One line.
    pub subject: String,
    /// More lines, or none.
    pub body: String,
    /// What stands at the end of the message besides the intent, such as `Request-Id`, `Actor`
    /// and `Order`.
    pub trailers: Vec<(String, String)>,
    pub delivery: Delivery,
    /// What changes. It is called again whenever the branch moved, so it is a function of what it
    /// is given and of nothing else.
    pub change: Arc<Make>,
}

/// Makes a change in a draft, or says why not.
pub type Make = dyn Fn(&mut Draft<'_>) -> Result<(), Refused> + Send + Sync;

/// How an edit reaches the branch that is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// As a commit on it.
    #[default]
    Commit,
    /// As a branch of its own, `tenantry/<intent>`, for people to merge.
    PullRequest,
    /// As the platform's document on the branch wants it for changes of this kind.
    AsPlatformSays(ChangeKind),
}

/// What an edit came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The commit that did it; for [`Made::Nothing`] the head in which all is as it should be.
    pub commit: Commit,
    /// The branch that it was pushed to.
    pub branch: String,
    /// Whether that is a branch of its own, which somebody has to merge.
    pub waits_for_review: bool,
    pub made: Made,
}

/// What became of a branch of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reviewed {
    /// It is there, and what it changes is not on the branch that is followed.
    Waits,
    /// What it changes is on the branch that is followed, by this commit: as it was, or as whoever
    /// merged it made it.
    Merged(Commit),
    /// It was deleted, or never made, and what it would change is not on the branch that is followed.
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// Just now.
    Now,
    /// Before: somebody asked for the same intent, or nobody heard the answer.
    Before,
    /// Nothing had to be done.
    Nothing,
}

/// Why an edit is not on the branch.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EditError {
    /// Asking again is of no use before something else changes.
    #[error(transparent)]
    Refused(Refused),
    /// Asking again is of no use before something else changes.
    #[error("the change would break the repository: {}", in_words(.findings))]
    Breaks { findings: Vec<Finding> },
    /// The same may be asked for again, with the same intent.
    #[error("others moved `{branch}` {attempts} times while this was to be pushed: try again")]
    Contended { branch: String, attempts: u32 },
    /// Whether asking again helps, [`SourceError::is_passing`] says. It may have been done: only
    /// asking with the same intent tells.
    #[error(transparent)]
    Source(Arc<SourceError>),
    /// The program ends. It may have been done.
    #[error("the editor has ended: ask again with the same intent when the program runs")]
    Ended,
}

impl EditError {
    /// Whether another try could end better without anybody doing anything.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Breaks { .. } => false,
            Self::Contended { .. } | Self::Ended => true,
            Self::Source(error) => error.is_passing(),
        }
    }
}

fn in_words(findings: &[Finding]) -> String {
    let words = |finding: &Finding| match &finding.help {
        Some(help) => format!("{}: {} ({help})", finding.place, finding.message),
        None => format!("{}: {}", finding.place, finding.message),
    };
    findings.iter().map(words).collect::<Vec<_>>().join("; ")
}

impl From<SourceError> for EditError {
    fn from(error: SourceError) -> Self {
        Self::Source(Arc::new(error))
    }
}

/// Commits edits to the branch that is followed, those that wait at the same time with one push.
/// Clones are the same editor. It ends when the last of them is dropped.
#[derive(Clone, Debug)]
pub struct Editor {
    queue: mpsc::Sender<Asked>,
    /// What the branch holds, as far as the queue knows.
    known: watch::Receiver<Option<Arc<Ground>>>,
}

impl Editor {
    /// Prepares a mirror of its own in the cache folder, below `edits`. It reaches no remote yet.
    /// The committer is the portal; with a key its commits are signed.
    pub async fn open(
        settings: Settings,
        cache: &Path,
        committer: Person,
        signing: Option<SigningKey>,
    ) -> Result<Self, SourceError> {
        let remote = Remote::open(settings, &cache.join("edits")).await?;
        let (sender, receiver) = mpsc::channel(WAITING);
        let (tell, known) = watch::channel(None);
        let queue = Queue::new(remote, signed_by(&committer), signing.map(Arc::new), tell);
        tokio::spawn(queue.work(receiver));
        Ok(Self { queue: sender, known })
    }

    /// Says what would become of an edit, by what is known of the branch: it is drafted and
    /// checked as for its commit, and nothing is written. The commit is checked again.
    pub async fn check(&self, tenant: Option<Name>, change: Arc<Make>) -> Result<(), EditError> {
        let ground = self.ground().await?;
        let checking = tokio::task::spawn_blocking(move || {
            let mut draft = ground.draft(Changes::default(), tenant.as_ref());
            change(&mut draft).map_err(EditError::Refused)?;
            let changes = draft.done();
            if changes.is_empty() {
                return Ok(());
            }
            let findings = ground.with(&changes).errors_beyond(&ground);
            if findings.is_empty() { Ok(()) } else { Err(EditError::Breaks { findings }) }
        });
        checking.await.unwrap_or(Err(EditError::Ended))
    }

    /// The digest of a file, by what is known of the branch; none where there is no such file.
    pub async fn digest(&self, file: &str) -> Result<Option<Digest>, EditError> {
        let ground = self.ground().await?;
        Ok(ground.snapshot.files.get(file).map(|file| file.digest))
    }

    /// What is known of the branch; it is looked at where nothing is known yet.
    async fn ground(&self) -> Result<Arc<Ground>, EditError> {
        if let Some(known) = self.known.borrow().clone() {
            return Ok(known);
        }
        let (answer, answered) = oneshot::channel();
        self.queue.send(Asked::Look(answer)).await.map_err(|_| EditError::Ended)?;
        answered.await.unwrap_or(Err(EditError::Ended))
    }

    /// Says what people made of the branch of an intent. They may have merged it as it was, rebased it
    /// or made one commit of several: the trailer tells.
    pub async fn review(&self, intent: IntentId) -> Result<Reviewed, EditError> {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Asked::Review(intent, answer)).await.map_err(|_| EditError::Ended)?;
        answered.await.unwrap_or(Err(EditError::Ended))
    }

    /// Makes an edit, if its intent is not on the branch already, and waits until it is pushed.
    /// An edit whose wait is given up may still be made.
    pub async fn commit(&self, mut edit: Edit) -> Result<Committed, EditError> {
        edit.author = signed_by(&edit.author);
        let (answer, answered) = oneshot::channel();
        self.queue
            .send(Asked::Edit(Waiting { edit, answer }))
            .await
            .map_err(|_| EditError::Ended)?;
        answered.await.unwrap_or(Err(EditError::Ended))
    }
}

/// A name and an address as Git can hold them: neither empty nor with brackets or line ends.
fn signed_by(person: &Person) -> Person {
    let clean = |text: &str, instead: &str| {
        let text = one_line(text).replace(['<', '>'], "");
        // Git itself takes these off the ends.
        let text = text.trim_matches(|next: char| ".,:;\"\\'".contains(next) || next == ' ');
        if text.is_empty() { instead.to_owned() } else { text.to_owned() }
    };
    Person {
        name: clean(&person.name, "unknown"),
        email: clean(&person.email, "unknown").replace(' ', ""),
    }
}
