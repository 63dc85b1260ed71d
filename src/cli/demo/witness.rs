//! Hears everything that the daemon says, and waits for what has to happen.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::cli::Failure;
use crate::model::Commit;
use crate::model::Finding;
use crate::model::Name;
use crate::model::Phase;
use crate::model::UnitName;
use crate::model::resource::Stage;
use crate::plan::StageState;
use crate::reconcile::note::Note;
use crate::reconcile::note::State;
use crate::reconcile::note::UnitStatus;
use crate::reconcile::overview::Overview;
use crate::reconcile::run::Deed;

/// How long any single thing may take before the demo gives up and says what is there instead.
const PATIENCE: Duration = Duration::from_mins(2);

/// What was said of a commit when it was read.
#[derive(Clone)]
pub(super) struct Read {
    pub(super) units: usize,
    pub(super) rendered: usize,
    pub(super) findings: Vec<Finding>,
}

/// What was heard: where everybody stands, and what happened since the last [`Heard::forget`].
#[derive(Default)]
pub(super) struct Heard {
    pub(super) overview: Overview,
    commits: BTreeMap<Commit, Read>,
    pub(super) phases: BTreeMap<(UnitName, Name), Phase>,
    pub(super) deeds: Vec<Deed>,
    ready: Vec<(UnitName, Stage, Timestamp)>,
}

impl Heard {
    fn take(&mut self, note: Note) {
        self.overview.take(&note);
        match note {
            Note::Commit { commit, units, rendered, findings, .. } => {
                self.commits.insert(commit, Read { units, rendered, findings });
            }
            Note::Run(run) => self.deeds.extend(run.deeds),
            Note::Stage { unit, stage, state: StageState::Ready, at, .. } => {
                self.ready.push((unit, stage, at));
            }
            Note::Phases { unit, phases, .. } => {
                let named = phases.into_iter().map(|(name, phase)| ((unit.clone(), name), phase));
                self.phases.extend(named);
            }
            _ => {}
        }
    }

    /// Forgets what happened; where everybody stands stays known.
    pub(super) fn forget(&mut self) {
        self.deeds.clear();
        self.ready.clear();
    }

    pub(super) fn status(&self, unit: &str) -> Option<&UnitStatus> {
        self.overview.units.values().find(|status| status.unit.to_string() == unit)
    }

    pub(super) fn is(&self, unit: &str, state: State) -> bool {
        self.status(unit).is_some_and(|status| status.state == state)
    }

    /// When a stage of a unit was ready last.
    pub(super) fn ready(&self, unit: &str, stage: Stage) -> Option<Timestamp> {
        let mine = |(name, ready, _): &&(UnitName, Stage, Timestamp)| {
            *ready == stage && name.to_string() == unit
        };
        self.ready.iter().rev().find(mine).map(|(_, _, at)| *at)
    }

    /// The units that a commit made what they are now.
    pub(super) fn made_by(&self, commit: &Commit) -> Vec<String> {
        let mine = |status: &&UnitStatus| status.commit.as_ref() == Some(commit);
        self.overview.units.values().filter(mine).map(|status| status.unit.to_string()).collect()
    }

    /// Whoever is not as they should be, in words.
    fn unsettled(&self) -> String {
        let troubled = self
            .overview
            .units
            .values()
            .filter(|status| !matches!(status.state, State::Converged | State::Retired));
        let mut told: Vec<String> = troubled
            .map(|status| {
                let reason = status.reason.as_deref().unwrap_or("nothing is said about why");
                format!("`{}` is {}: {reason}", status.unit, status.state.word())
            })
            .collect();
        let away = self.overview.away.iter();
        told.extend(away.map(|(what, (why, _))| format!("{what} cannot be reached: {why}")));
        if told.is_empty() { "everybody is converged".to_owned() } else { told.join("; ") }
    }
}

/// Who listens.
pub(super) struct Witness {
    notes: mpsc::UnboundedReceiver<Note>,
    pub(super) heard: Heard,
}

impl Witness {
    /// A witness, and the ear to tell things into.
    pub(super) fn new() -> (Self, mpsc::UnboundedSender<Note>) {
        let (ear, notes) = mpsc::unbounded_channel();
        (Self { notes, heard: Heard::default() }, ear)
    }

    /// Listens until something was heard.
    pub(super) async fn until<T>(
        &mut self,
        expected: &str,
        mut find: impl FnMut(&Heard) -> Option<T>,
    ) -> Result<T, Failure> {
        let heard = &mut self.heard;
        let notes = &mut self.notes;
        let listening = async {
            loop {
                if let Some(found) = find(heard) {
                    return Some(found);
                }
                heard.take(notes.recv().await?);
                while let Ok(note) = notes.try_recv() {
                    heard.take(note);
                }
            }
        };
        match tokio::time::timeout(PATIENCE, listening).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(Failure::new("the daemon ended before its time")),
            Err(_) => Err(self.missing(&late(expected))),
        }
    }

    /// Waits for something else than a note, with the same patience.
    pub(super) async fn patiently<T>(&self, waiting: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(PATIENCE, waiting).await.ok()
    }

    pub(super) async fn read(&mut self, commit: &Commit) -> Result<Read, Failure> {
        let expected = format!("commit {} is read", commit.short());
        self.until(&expected, |heard| heard.commits.get(commit).cloned()).await
    }

    /// Hears what is needed to know of everybody what they are said to be.
    pub(super) async fn catch_up(&mut self, everybody: &[UnitStatus]) -> Result<(), Failure> {
        self.until("the daemon tells where everybody stands", |heard| {
            let known =
                |status: &UnitStatus| heard.overview.units.get(&status.unit) == Some(status);
            everybody.iter().all(known).then_some(())
        })
        .await
    }

    /// What was expected and is not so, and what is there instead.
    pub(super) fn missing(&mut self, expected: &str) -> Failure {
        while let Ok(note) = self.notes.try_recv() {
            self.heard.take(note);
        }
        let instead = anyhow::anyhow!(self.heard.unsettled());
        Failure::from(instead.context(format!("expected that {expected}")))
            .help("run `tenantry demo -v` to see what the daemon says")
    }
}

/// The same, with how long it was waited for.
pub(super) fn late(expected: &str) -> String {
    format!("{expected} within {} s", PATIENCE.as_secs())
}
