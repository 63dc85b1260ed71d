//! The daemon as a whole: every edge built, joined and followed, and stopped in order. `run` has
//! one until a signal, the demo for as long as it plays.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cli::Failure;
use crate::cli::Output;
use crate::model::Secret;
use crate::reconcile::Event;
use crate::reconcile::Junction;
use crate::reconcile::follow::follow;
use crate::reconcile::note::Note;
use crate::reconcile::overview::Overview;
use crate::reconcile::targets::ClusterTarget;
use crate::reconcile::targets::Kubeconfigs;
use crate::reconcile::tell;
use crate::reconcile::world::Clock;
use crate::source;
use crate::source::Source;

use super::server;

/// How long runs that are under way may take to end when the daemon is asked to stop.
const LAST_WORDS: Duration = Duration::from_secs(20);

/// What a daemon is made of.
pub(in crate::cli) struct Parts {
    pub(in crate::cli) source: source::Settings,
    /// Where the copy of the repository is kept.
    pub(in crate::cli) cache: PathBuf,
    pub(in crate::cli) kubeconfigs: Kubeconfigs,
    pub(in crate::cli) listen: SocketAddr,
    pub(in crate::cli) webhook_secret: Option<Secret>,
    /// Who else hears what the junction says.
    pub(in crate::cli) audience: Option<mpsc::UnboundedSender<Note>>,
}

/// A daemon that runs.
pub(in crate::cli) struct Daemon {
    address: SocketAddr,
    junction: Junction<ClusterTarget>,
    following: JoinHandle<()>,
    reconciling: JoinHandle<()>,
    telling: JoinHandle<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Daemon {
    pub(in crate::cli) async fn start(parts: Parts) -> Result<Self, Failure> {
        let source = Source::open(parts.source, &parts.cache).await?;
        let listener = TcpListener::bind(parts.listen)
            .await
            .with_context(|| format!("{} cannot be listened at", parts.listen))?;
        let address = listener.local_addr().context("the listener has no address")?;
        let (notes, said) = mpsc::unbounded_channel();
        let (junction, reconciling) = Junction::start(Clock::system(), notes);
        let (overviews, overview) = watch::channel(Arc::new(Overview::default()));
        let telling = tokio::spawn(listen(said, overviews, parts.audience));
        let answers = server::Answers {
            source: source.clone(),
            overview,
            webhook_secret: parts.webhook_secret,
        };
        let serving = tokio::spawn(server::serve(listener, Arc::new(answers)));
        let following = tokio::spawn(follow(
            source.clone(),
            junction.clone(),
            parts.kubeconfigs,
            Clock::system(),
        ));
        Ok(Self { address, junction, following, reconciling, telling, serving })
    }

    /// Where it answers over HTTP.
    pub(in crate::cli) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops, once the runs under way have ended.
    pub(in crate::cli) async fn stop(self, output: &Output) {
        self.following.abort();
        self.junction.tell(Event::Stop);
        if tokio::time::timeout(LAST_WORDS, self.reconciling).await.is_err() {
            output
                .note("what is under way takes too long; it goes on when the daemon starts again");
        }
        drop(self.junction);
        let _ = tokio::time::timeout(LAST_WORDS, self.telling).await;
        self.serving.abort();
    }
}

/// Takes in what the junction says, until it says no more.
async fn listen(
    mut said: mpsc::UnboundedReceiver<Note>,
    overviews: watch::Sender<Arc<Overview>>,
    audience: Option<mpsc::UnboundedSender<Note>>,
) {
    let mut overview = Overview::default();
    let mut take = |overview: &mut Overview, note: Note| {
        tell::log(&note);
        overview.take(&note);
        if let Some(audience) = &audience {
            // Whoever has heard enough is gone.
            let _ = audience.send(note);
        }
    };
    while let Some(note) = said.recv().await {
        take(&mut overview, note);
        // Several at once are told as one: with many tenants a copy is not free.
        while let Ok(note) = said.try_recv() {
            take(&mut overview, note);
        }
        overviews.send_replace(Arc::new(overview.clone()));
    }
}
