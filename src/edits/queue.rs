//! The queue: one task takes all edits that wait, commits each on top of the other, and pushes
//! once. Where the branch moved meanwhile, it begins anew from where the branch is now.

use std::hash::BuildHasher as _;
use std::hash::Hasher as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;

use crate::model::Commit;
use crate::source::Pushed;
use crate::source::Remote;
use crate::source::SourceError;
use crate::source::blocking;
use crate::source::commits::Person;
use crate::source::settings::Branch;

use super::Committed;
use super::Delivery;
use super::Edit;
use super::EditError;
use super::IntentId;
use super::Made;
use super::SigningKey;
use super::ground::Ground;
use super::intent::Intents;
use super::settle::Chain;
use super::settle::Settled;

/// How many edits go with one push: what fits into two seconds with room to spare.
const MOST_AT_ONCE: usize = 128;
/// How often the branch may move before an edit is given back.
const ATTEMPTS: u32 = 40;
/// How often a failure that may pass is tried again before it is told.
const FAILURES: u32 = 3;
/// The longest wait after the branch moved the first time; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_millis(10);
const LONGEST_WAIT: Duration = Duration::from_millis(640);
/// How many pushes lie between two tidyings of the mirror.
const TIDY_EVERY: u32 = 100;

type Answer = Result<Committed, EditError>;

/// What reaches the queue.
#[derive(Debug)]
pub(super) enum Asked {
    Edit(Waiting),
    /// What does the branch hold?
    Look(oneshot::Sender<Result<Arc<Ground>, EditError>>),
}

/// An edit, and who waits for what becomes of it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) edit: Edit,
    pub(super) answer: oneshot::Sender<Answer>,
}

impl std::fmt::Debug for Edit {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Edit({}, {:?})", self.intent, self.subject)
    }
}

/// One intent, and all who wait for it.
struct Job {
    edit: Arc<Edit>,
    waiting: Vec<oneshot::Sender<Answer>>,
}

impl Job {
    fn answer(self, answer: &Answer) {
        for waiting in self.waiting {
            // Who gave up waiting needs no answer.
            drop(waiting.send(answer.clone()));
        }
    }
}

pub(super) struct Queue {
    remote: Arc<Remote>,
    committer: Arc<Person>,
    signing: Option<Arc<SigningKey>>,
    intents: Intents,
    ground: Option<Arc<Ground>>,
    /// Hears of every ground.
    tell: watch::Sender<Option<Arc<Ground>>>,
    pushes: u32,
}

/// What edits come to on top of a head.
struct Chained {
    settled: Vec<Settled>,
    head: Commit,
    ground: Arc<Ground>,
}

impl Queue {
    pub(super) fn new(
        remote: Remote,
        committer: Person,
        signing: Option<Arc<SigningKey>>,
        tell: watch::Sender<Option<Arc<Ground>>>,
    ) -> Self {
        Self {
            remote: Arc::new(remote),
            committer: Arc::new(committer),
            signing,
            intents: Intents::default(),
            ground: None,
            tell,
            pushes: 0,
        }
    }

    pub(super) async fn work(mut self, mut waiting: mpsc::Receiver<Asked>) {
        let mut taken = Vec::new();
        while waiting.recv_many(&mut taken, MOST_AT_ONCE).await > 0 {
            let mut edits = Vec::new();
            for asked in taken.drain(..) {
                match asked {
                    Asked::Edit(waiting) => edits.push(waiting),
                    Asked::Look(answer) => {
                        // Who gave up waiting needs no answer.
                        drop(answer.send(self.look().await.map_err(EditError::from)));
                    }
                }
            }
            let (together, alone) = jobs(edits.into_iter());
            if !together.is_empty() {
                self.commit(together).await;
            }
            for job in alone {
                self.propose(job).await;
            }
            if self.pushes >= TIDY_EVERY && waiting.is_empty() {
                self.pushes = 0;
                if let Err(error) = self.remote.tidy().await {
                    tracing::warn!("the mirror for edits could not be tidied: {error}");
                }
            }
        }
    }

    /// What the branch holds; looked at where nothing is known yet.
    async fn look(&mut self) -> Result<Arc<Ground>, SourceError> {
        if let Some(known) = &self.ground {
            return Ok(Arc::clone(known));
        }
        let head = self.remote.fetch().await?;
        let snapshot = self.remote.objects().snapshot(&head).await?;
        let ground =
            blocking(move || Ok::<_, SourceError>(Arc::new(Ground::of(snapshot, None)))).await?;
        self.know(Arc::clone(&ground));
        Ok(ground)
    }

    fn know(&mut self, ground: Arc<Ground>) {
        self.tell.send_replace(Some(Arc::clone(&ground)));
        self.ground = Some(ground);
    }

    /// Brings edits to the branch that is followed.
    async fn commit(&mut self, mut jobs: Vec<Job>) {
        let (mut attempts, mut failures) = (0, 0);
        loop {
            match self.attempt(&mut jobs).await {
                Ok(true) => return,
                Ok(false) => attempts += 1,
                Err(error) if error.is_passing() && failures < FAILURES => failures += 1,
                Err(error) => {
                    let error = Err(EditError::from(error));
                    return jobs.into_iter().for_each(|job| job.answer(&error));
                }
            }
            if attempts >= ATTEMPTS {
                let branch = self.branch().to_string();
                let error = Err(EditError::Contended { branch, attempts });
                return jobs.into_iter().for_each(|job| job.answer(&error));
            }
            tokio::time::sleep(wait(attempts + failures, random_share())).await;
        }
    }

    /// One attempt: whether every job is answered. Those that are not stay, for the next.
    async fn attempt(&mut self, jobs: &mut Vec<Job>) -> Result<bool, SourceError> {
        let head = self.remote.fetch().await?;
        self.intents.follow(&self.remote, &head).await?;
        let branch = self.branch().to_string();
        for job in std::mem::take(jobs) {
            match self.intents.commit_of(&job.edit.intent) {
                Some(commit) => {
                    let (commit, branch) = (commit.clone(), branch.clone());
                    job.answer(&Ok(Committed { commit, branch, made: Made::Before }));
                }
                None => jobs.push(job),
            }
        }
        if jobs.is_empty() {
            return Ok(true);
        }
        let edits = jobs.iter().map(|job| Arc::clone(&job.edit)).collect();
        let chained = self.chain(&head, edits).await?;
        if chained.head != head {
            let branch = self.branch().clone();
            if self.remote.push(&branch, Some(&head), &chained.head).await? == Pushed::Moved {
                return Ok(false);
            }
            self.pushes += 1;
        }
        self.know(chained.ground);
        let mut made = Vec::new();
        for (job, settled) in jobs.drain(..).zip(chained.settled) {
            if let Settled::Commit(commit) = &settled {
                made.push((job.edit.intent.clone(), commit.clone()));
            }
            job.answer(&answer(settled, &branch, &chained.head));
        }
        self.intents.add(made, &chained.head);
        Ok(true)
    }

    /// Brings one edit to a branch of its own.
    async fn propose(&mut self, job: Job) {
        let name = format!("tenantry/{}", job.edit.intent);
        let (mut attempts, mut failures) = (0, 0);
        let answer = loop {
            match self.attempt_proposal(&job.edit, &name).await {
                Ok(Some(answer)) => break answer,
                Ok(None) if attempts >= ATTEMPTS => {
                    break Err(EditError::Contended { branch: name, attempts });
                }
                Ok(None) => attempts += 1,
                Err(error) if error.is_passing() && failures < FAILURES => failures += 1,
                Err(error) => break Err(error.into()),
            }
            tokio::time::sleep(wait(attempts + failures, random_share())).await;
        };
        job.answer(&answer);
    }

    async fn attempt_proposal(
        &mut self,
        edit: &Arc<Edit>,
        name: &str,
    ) -> Result<Option<Answer>, SourceError> {
        let before = |commit: Commit, branch: &str| {
            let made = Made::Before;
            Ok(Some(Ok(Committed { commit, branch: branch.to_owned(), made })))
        };
        let branch: Branch = name.parse().expect("because an intent is fit for a branch");
        let head = self.remote.fetch().await?;
        self.intents.follow(&self.remote, &head).await?;
        if let Some(commit) = self.intents.commit_of(&edit.intent) {
            return before(commit.clone(), self.branch().as_str());
        }
        if let Some(proposed) = self.remote.fetch_other(&branch).await? {
            return before(proposed, name);
        }
        let mut chained = self.chain(&head, vec![Arc::clone(edit)]).await?;
        if chained.head != head {
            let pushed = self.remote.push(&branch, None, &chained.head).await?;
            if pushed == Pushed::Moved {
                return Ok(None);
            }
        }
        Ok(chained.settled.pop().map(|settled| answer(settled, name, &head)))
    }

    /// Commits edits on top of a head. The remote knows nothing of it yet.
    async fn chain(
        &mut self,
        head: &Commit,
        edits: Vec<Arc<Edit>>,
    ) -> Result<Chained, SourceError> {
        let known = self.ground.clone();
        let same = known.as_ref().is_some_and(|known| known.snapshot.commit == *head);
        let snapshot = match &known {
            Some(known) if same => Arc::clone(&known.snapshot),
            _ => self.remote.objects().snapshot(head).await?,
        };
        let (remote, committer) = (Arc::clone(&self.remote), Arc::clone(&self.committer));
        let (signing, head) = (self.signing.clone(), head.clone());
        let work = move || {
            let ground = match known {
                Some(known) if same => known,
                known => Arc::new(Ground::of(snapshot, known.as_deref())),
            };
            let scribe = remote.scribe()?;
            let mut chain = Chain {
                scribe: &scribe,
                committer: &committer,
                signing: signing.as_deref(),
                now: Timestamp::now(),
                ground: Arc::clone(&ground),
                head,
            };
            let edits: Vec<&Edit> = edits.iter().map(|edit| &**edit).collect();
            let settled = chain.settle(&edits)?;
            let Chain { head, ground: after, .. } = chain;
            Ok((ground, Chained { settled, head, ground: after }))
        };
        let outcome: Result<_, SourceError> = blocking(work).await;
        let (ground, chained) = outcome?;
        // Whatever becomes of the push, the head itself is known.
        self.know(ground);
        Ok(chained)
    }

    fn branch(&self) -> &Branch {
        &self.remote.settings().branch
    }
}

/// Those that go together, and those that go alone. Who asks for the same intent waits for the
/// same edit.
fn jobs(taken: impl Iterator<Item = Waiting>) -> (Vec<Job>, Vec<Job>) {
    let mut jobs: Vec<Job> = Vec::new();
    let mut known: std::collections::HashMap<IntentId, usize> = std::collections::HashMap::new();
    for Waiting { edit, answer } in taken {
        if let Some(at) = known.get(&edit.intent) {
            jobs[*at].waiting.push(answer);
        } else {
            known.insert(edit.intent.clone(), jobs.len());
            jobs.push(Job { edit: Arc::new(edit), waiting: vec![answer] });
        }
    }
    jobs.into_iter().partition(|job| job.edit.delivery == Delivery::Commit)
}

fn answer(settled: Settled, branch: &str, head: &Commit) -> Answer {
    let done = |commit, made| Ok(Committed { commit, branch: branch.to_owned(), made });
    match settled {
        Settled::Commit(commit) => done(commit, Made::Now),
        Settled::Nothing => done(head.clone(), Made::Nothing),
        Settled::Refused(refused) => Err(EditError::Refused(refused)),
        Settled::Breaks(findings) => Err(EditError::Breaks { findings }),
    }
}

/// How long to wait before the next attempt. `share` is somewhere from 0 to 255: who lost
/// together does not come again together.
fn wait(attempts: u32, share: u8) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let longest = (FIRST_WAIT * (1 << doublings)).min(LONGEST_WAIT);
    longest * (u32::from(share) + 1) / 256
}

fn random_share() -> u8 {
    std::hash::RandomState::new().build_hasher().finish().to_le_bytes()[0]
}
