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
use super::Reviewed;
use super::SigningKey;
use super::editor::PROPOSALS;
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
    /// What became of the branch of an intent?
    Review(IntentId, oneshot::Sender<Result<Reviewed, EditError>>),
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
                    Asked::Review(intent, answer) => {
                        drop(answer.send(self.review(&intent).await.map_err(EditError::from)));
                    }
                }
            }
            let (together, mut alone) = jobs(edits.into_iter());
            if !together.is_empty() {
                alone.extend(self.commit(together).await);
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
        self.stand_on(&head).await
    }

    fn know(&mut self, ground: Arc<Ground>) {
        self.tell.send_replace(Some(Arc::clone(&ground)));
        self.ground = Some(ground);
    }

    /// Brings edits to the branch that is followed. Those come back of which the platform wants that
    /// people look at them first.
    async fn commit(&mut self, mut jobs: Vec<Job>) -> Vec<Job> {
        let (mut attempts, mut failures, mut reviewed) = (0, 0, Vec::new());
        loop {
            let error = match self.attempt(&mut jobs, &mut reviewed).await {
                Ok(true) => return reviewed,
                Ok(false) => {
                    attempts += 1;
                    let branch = || self.branch().to_string();
                    (attempts >= ATTEMPTS)
                        .then(|| EditError::Contended { branch: branch(), attempts })
                }
                Err(error) if error.is_passing() && failures < FAILURES => {
                    failures += 1;
                    None
                }
                Err(error) => Some(error.into()),
            };
            if let Some(error) = error {
                let error = Err(error);
                for job in jobs {
                    job.answer(&error);
                }
                return reviewed;
            }
            tokio::time::sleep(wait(attempts + failures, random_share())).await;
        }
    }

    /// One attempt: whether every job is answered, or goes to people first. Those that are not stay,
    /// for the next.
    async fn attempt(
        &mut self,
        jobs: &mut Vec<Job>,
        reviewed: &mut Vec<Job>,
    ) -> Result<bool, SourceError> {
        let head = self.remote.fetch().await?;
        self.intents.follow(&self.remote, &head).await?;
        let branch = self.branch().to_string();
        for job in std::mem::take(jobs) {
            match self.intents.commit_of(&job.edit.intent) {
                Some(commit) => {
                    let (commit, branch) = (commit.clone(), branch.clone());
                    let (made, waits_for_review) = (Made::Before, false);
                    job.answer(&Ok(Committed { commit, branch, waits_for_review, made }));
                }
                None => jobs.push(job),
            }
        }
        let ground = self.stand_on(&head).await?;
        reviewed.extend(jobs.extract_if(.., |job| ground.wants_review(job.edit.delivery)));
        if jobs.is_empty() {
            return Ok(true);
        }
        let edits = jobs.iter().map(|job| Arc::clone(&job.edit)).collect();
        let chained = self.chain(ground, edits).await?;
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
            job.answer(&answer(settled, (&branch, false), &chained.head));
        }
        self.intents.add(made, &chained.head);
        Ok(true)
    }

    /// Brings one edit to a branch of its own.
    async fn propose(&mut self, job: Job) {
        let name = format!("{PROPOSALS}{}", job.edit.intent);
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
        let before = |commit: Commit, branch: &str, waits_for_review| {
            let (branch, made) = (branch.to_owned(), Made::Before);
            Ok(Some(Ok(Committed { commit, branch, waits_for_review, made })))
        };
        let branch: Branch = name.parse().expect("because an intent is fit for a branch");
        let head = self.remote.fetch().await?;
        self.intents.follow(&self.remote, &head).await?;
        if let Some(commit) = self.intents.merged_by(&edit.intent) {
            return before(commit.clone(), self.branch().as_str(), false);
        }
        if let Some(proposed) = self.remote.fetch_other(&branch).await? {
            return before(proposed, name, true);
        }
        let ground = self.stand_on(&head).await?;
        let mut chained = self.chain(ground, vec![Arc::clone(edit)]).await?;
        if chained.head != head {
            let pushed = self.remote.push(&branch, None, &chained.head).await?;
            if pushed == Pushed::Moved {
                return Ok(None);
            }
        }
        Ok(chained.settled.pop().map(|settled| answer(settled, (name, true), &head)))
    }

    /// What people made of the branch of an intent.
    async fn review(&mut self, intent: &IntentId) -> Result<Reviewed, SourceError> {
        let name: Branch =
            format!("{PROPOSALS}{intent}").parse().expect("because an intent is fit for a branch");
        if let Some(merged) = self.merged(intent).await? {
            return Ok(Reviewed::Merged(merged));
        }
        if self.remote.fetch_other(&name).await?.is_some() {
            return Ok(Reviewed::Waits);
        }
        // It may have been merged and deleted between the two looks.
        let merged = self.merged(intent).await?;
        Ok(merged.map_or(Reviewed::Gone, Reviewed::Merged))
    }

    /// The commit on the branch that is followed by which people did what an intent wants.
    async fn merged(&mut self, intent: &IntentId) -> Result<Option<Commit>, SourceError> {
        let head = self.remote.fetch().await?;
        self.intents.follow(&self.remote, &head).await?;
        let merged = self.intents.merged_by(intent).cloned();
        if merged.is_some() {
            // Whoever checks a change from now on sees what was merged.
            self.stand_on(&head).await?;
        }
        Ok(merged)
    }

    /// What a head holds.
    async fn stand_on(&mut self, head: &Commit) -> Result<Arc<Ground>, SourceError> {
        let known = self.ground.clone();
        if let Some(known) = known.as_ref().filter(|known| known.snapshot.commit == *head) {
            return Ok(Arc::clone(known));
        }
        let snapshot = self.remote.objects().snapshot(head).await?;
        let read = move || Ok::<_, SourceError>(Arc::new(Ground::of(snapshot, known.as_deref())));
        let ground = blocking(read).await?;
        // Whatever becomes of a push, the head itself is known.
        self.know(Arc::clone(&ground));
        Ok(ground)
    }

    /// Commits edits on top of a head. The remote knows nothing of it yet.
    async fn chain(
        &self,
        ground: Arc<Ground>,
        edits: Vec<Arc<Edit>>,
    ) -> Result<Chained, SourceError> {
        let (remote, committer) = (Arc::clone(&self.remote), Arc::clone(&self.committer));
        let signing = self.signing.clone();
        let work = move || {
            let scribe = remote.scribe()?;
            let head = ground.snapshot.commit.clone();
            let mut chain = Chain {
                scribe: &scribe,
                committer: &committer,
                signing: signing.as_deref(),
                now: Timestamp::now(),
                ground,
                head,
            };
            let edits: Vec<&Edit> = edits.iter().map(|edit| &**edit).collect();
            let settled = chain.settle(&edits)?;
            let Chain { head, ground, .. } = chain;
            Ok(Chained { settled, head, ground })
        };
        blocking(work).await
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
    jobs.into_iter().partition(|job| job.edit.delivery != Delivery::PullRequest)
}

/// `is_own` says whether the branch is one of its own, for people to merge.
fn answer(settled: Settled, (branch, is_own): (&str, bool), head: &Commit) -> Answer {
    let done = |commit, made| {
        let waits_for_review = is_own && made != Made::Nothing;
        Ok(Committed { commit, branch: branch.to_owned(), waits_for_review, made })
    };
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
