//! The daemon: every edge, joined. It runs until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::history::Recorder;
use crate::pods;
use crate::source::Source;

use super::Event;
use super::Junction;
use super::chronicle::Chronicle;
use super::desired::Desired;
use super::follow::Told;
use super::follow::follow;
use super::follow::follow_history;
use super::follow::follow_state;
use super::hosts;
use super::meter::Followed;
use super::note::Note;
use super::overview::Overview;
use super::targets::ClusterTarget;
use super::targets::Kubeconfigs;
use super::tell;
use super::world::Clock;

/// How long runs that are under way may take to end when the daemon is asked to stop.
const LAST_WORDS: Duration = Duration::from_secs(20);

/// How often everything is verified, where nobody says otherwise.
pub const VERIFY_EVERY: Duration = Duration::from_mins(30);

/// What a daemon is made of.
pub struct Parts {
    pub source: Source,
    pub kubeconfigs: Kubeconfigs,
    pub recorder: Recorder,
    pub clock: Clock,
    /// How hosts are reached, if they are.
    pub hosts: Option<hosts::Keeping>,
    /// How often about all that is watched is also listed, for the sake of what no watch told.
    pub verify_every: Duration,
    /// Shows the clusters that are followed to who measures them and reads logs there.
    pub clusters: watch::Sender<Followed>,
    /// Who wants to hear everything that happens, besides the log and history.
    pub listener: Option<mpsc::UnboundedSender<Note>>,
}

/// A running daemon.
pub struct Daemon {
    junction: Junction<ClusterTarget>,
    overview: watch::Receiver<Arc<Overview>>,
    desired: watch::Receiver<Option<Arc<Desired>>>,
    recorder: Recorder,
    ended: JoinHandle<()>,
    telling: JoinHandle<()>,
    following: Vec<JoinHandle<()>>,
}

impl Daemon {
    /// Starts to follow the source, and to bring everything to what it says.
    pub async fn start(parts: Parts) -> Self {
        let Parts { source, kubeconfigs, recorder, clock, hosts, verify_every, clusters, listener } =
            parts;
        remember(&source, &recorder).await;
        let (notes, said) = mpsc::unbounded_channel();
        let (junction, ended) = Junction::start(clock.clone(), notes.clone());
        let (overviews, overview) = watch::channel(Arc::new(Overview::default()));
        let (taken, desired) = watch::channel(None);
        let pods = recorder.store().map(|store| pods::Store::over(store.database().clone()));
        let chronicle = Chronicle::new(recorder.clone());
        let telling = tokio::spawn(listen(said, overviews, chronicle, listener, clock.clone()));
        let heads = follow(
            source.clone(),
            junction.clone(),
            kubeconfigs,
            clock.clone(),
            verify_every,
            Told { notes: notes.clone(), taken, clusters, pods },
        );
        let history = follow_history(recorder.clone(), clock.clone(), notes.clone());
        let hosts = hosts.map(|keeping| {
            tokio::spawn(hosts::keep(keeping, desired.clone(), clock.clone(), notes.clone()))
        });
        let state = follow_state(source, clock, notes);
        let mut following = vec![tokio::spawn(heads), tokio::spawn(history), tokio::spawn(state)];
        following.extend(hosts);
        Self { junction, overview, desired, recorder, ended, telling, following }
    }

    /// Where everybody stands, and every change of that.
    pub fn overview(&self) -> watch::Receiver<Arc<Overview>> {
        self.overview.clone()
    }

    /// What the newest commit that was taken asks for, and every change of that.
    pub fn desired(&self) -> watch::Receiver<Option<Arc<Desired>>> {
        self.desired.clone()
    }

    pub fn junction(&self) -> &Junction<ClusterTarget> {
        &self.junction
    }

    /// Ends what is under way, and writes down what is left to write. Says whether all of it ended.
    pub async fn stop(self) -> bool {
        for following in self.following {
            following.abort();
            // Aborted or ended: both are the end of it, and of what it holds.
            let _ = following.await;
        }
        self.junction.tell(Event::Stop);
        let ended = tokio::time::timeout(LAST_WORDS, self.ended).await.is_ok();
        drop(self.junction);
        let told = tokio::time::timeout(LAST_WORDS, self.telling).await.is_ok();
        let written = self.recorder.stop(LAST_WORDS).await;
        ended && told && written
    }
}

/// A lost cache must not open the door to a rewritten branch: history remembers, too.
async fn remember(source: &Source, recorder: &Recorder) {
    let Some(store) = recorder.store() else { return };
    let last = tokio::time::timeout(Duration::from_secs(5), store.last_taken()).await;
    if let Ok(Ok(Some(commit))) = last
        && let Err(error) = source.remember(&commit).await
    {
        tracing::warn!("commit {} of history is not in the repository: {error}", commit.short());
    }
}

/// Takes in what the junction says, until it says no more.
async fn listen(
    mut said: mpsc::UnboundedReceiver<Note>,
    overviews: watch::Sender<Arc<Overview>>,
    mut chronicle: Chronicle,
    listener: Option<mpsc::UnboundedSender<Note>>,
    clock: Clock,
) {
    while let Some(note) = said.recv().await {
        // Several at once are told as one.
        let mut notes = vec![note];
        while let Ok(note) = said.try_recv() {
            notes.push(note);
        }
        for note in &notes {
            tell::log(note);
            chronicle.take(note, clock.now());
        }
        overviews.send_modify(|overview| {
            // With many tenants a copy is not free: it is made where somebody still reads this one.
            let overview = Arc::make_mut(overview);
            for note in &notes {
                overview.take(note);
            }
        });
        if let Some(listener) = &listener {
            for note in notes {
                // Who stopped listening misses nothing they want.
                let _ = listener.send(note);
            }
        }
    }
}
