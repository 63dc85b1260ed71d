//! `run`: the daemon. It builds every edge, follows them, and stops in order.

mod metrics;
mod server;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::mpsc;
use tokio::sync::watch;

use crate::model::Name;
use crate::reconcile::Event;
use crate::reconcile::Junction;
use crate::reconcile::follow::follow;
use crate::reconcile::note::Note;
use crate::reconcile::overview::Overview;
use crate::reconcile::targets::Kubeconfigs;
use crate::reconcile::tell;
use crate::reconcile::world::Clock;
use crate::source;
use crate::source::Source;
use crate::source::webhook;

use super::Exit;
use super::Failure;
use super::Output;

/// How long runs that are under way may take to end when the daemon is asked to stop.
const LAST_WORDS: Duration = Duration::from_secs(20);

/// Follow a repository and keep every tenant as it says, until told to stop
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry run --repository /srv/tenants --kubeconfig ~/.kube/config
  tenantry run --repository https://git.example/tenants.git --kubeconfig saigon=/etc/tenantry/saigon")]
pub(super) struct Arguments {
    #[command(flatten)]
    source: source::Settings,
    #[command(flatten)]
    clusters: Clusters,
    #[command(flatten)]
    webhook: webhook::Settings,
    /// Keep the copy of the repository here
    #[arg(
        long,
        value_name = "FOLDER",
        env = "TENANTRY_CACHE",
        default_value = "/var/cache/tenantry"
    )]
    cache: PathBuf,
    /// Answer /healthz, /readyz, /status, /metrics and /hooks/git at this address
    #[arg(long, value_name = "ADDRESS", env = "TENANTRY_LISTEN", default_value = "127.0.0.1:9440")]
    listen: SocketAddr,
}

/// Where the clusters' kubeconfigs are.
#[derive(clap::Args, Clone, Debug)]
#[group(skip)]
pub(super) struct Clusters {
    /// Reach clusters with this kubeconfig, or the one cluster NAME with NAME=FILE; without it the
    /// pod's service account is used
    #[arg(
        long = "kubeconfig",
        value_name = "[NAME=]FILE",
        env = "TENANTRY_KUBECONFIG",
        value_delimiter = ','
    )]
    kubeconfigs: Vec<Kubeconfig>,
}

#[derive(Clone, Debug)]
struct Kubeconfig {
    cluster: Option<Name>,
    file: PathBuf,
}

impl FromStr for Kubeconfig {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, file)) => {
                let cluster = name.parse().map_err(|error| format!("{error}"))?;
                Ok(Self { cluster: Some(cluster), file: file.into() })
            }
            None => Ok(Self { cluster: None, file: text.into() }),
        }
    }
}

impl Clusters {
    pub(super) fn kubeconfigs(&self) -> Kubeconfigs {
        let mut files = BTreeMap::new();
        let mut default = None;
        for kubeconfig in &self.kubeconfigs {
            match &kubeconfig.cluster {
                Some(cluster) => {
                    files.insert(cluster.clone(), kubeconfig.file.clone());
                }
                None => default = Some(kubeconfig.file.clone()),
            }
        }
        Kubeconfigs { files, default }
    }
}

pub(super) fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Runtime::new().context("the runtime cannot be started")?;
    runtime.block_on(serve(arguments, output))
}

async fn serve(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let webhook_secret =
        arguments.webhook.secret().context("the webhook's secret cannot be read")?;
    let source = Source::open(arguments.source.clone(), &arguments.cache).await?;
    let listener = TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("{} cannot be listened at", arguments.listen))?;
    let (notes, said) = mpsc::unbounded_channel();
    let (junction, ended) = Junction::start(Clock::system(), notes);
    let (overviews, overview) = watch::channel(Arc::new(Overview::default()));
    let telling = tokio::spawn(listen(said, overviews));
    let daemon = server::Daemon { source: source.clone(), overview, webhook_secret };
    let address = listener.local_addr().context("the listener has no address")?;
    let serving = tokio::spawn(server::serve(listener, Arc::new(daemon)));
    let following = tokio::spawn(follow(
        source,
        junction.clone(),
        arguments.clusters.kubeconfigs(),
        Clock::system(),
    ));
    output
        .note(format!("following {}; listening at http://{address}", arguments.source.repository));

    told_to_stop().await?;
    output.note("stopping: what is under way ends first");
    following.abort();
    junction.tell(Event::Stop);
    if tokio::time::timeout(LAST_WORDS, ended).await.is_err() {
        output.note("what is under way takes too long; it goes on when the daemon starts again");
    }
    drop(junction);
    let _ = tokio::time::timeout(LAST_WORDS, telling).await;
    serving.abort();
    Ok(Exit::Fine)
}

/// Waits for the signal with which systemd, Kubernetes or a person at the terminal stops us.
async fn told_to_stop() -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be waited for")?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted.context("signals cannot be waited for")?),
    }
}

/// Takes in what the junction says, until it says no more.
async fn listen(mut said: mpsc::UnboundedReceiver<Note>, overviews: watch::Sender<Arc<Overview>>) {
    let mut overview = Overview::default();
    while let Some(note) = said.recv().await {
        tell::log(&note);
        overview.take(&note);
        // Several at once are told as one: with many tenants a copy is not free.
        while let Ok(note) = said.try_recv() {
            tell::log(&note);
            overview.take(&note);
        }
        overviews.send_replace(Arc::new(overview.clone()));
    }
}
