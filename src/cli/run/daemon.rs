//! The daemon as a whole: every edge opened, joined and answered for. `run` has one until a
//! signal, the demo for as long as it plays.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::server as portal;
use crate::cli::Failure;
use crate::cli::Output;
use crate::cli::failure::Helped as _;
use crate::history::Recorder;
use crate::history::recorder;
use crate::model::Secret;
use crate::notify::smtp;
use crate::payments;
use crate::postgres;
use crate::postgres::Database;
use crate::reconcile::daemon;
use crate::reconcile::hosts::Keeping;
use crate::reconcile::meter::Followed;
use crate::reconcile::note::Note;
use crate::reconcile::note::UnitStatus;
use crate::reconcile::targets::Kubeconfigs;
use crate::reconcile::world::Clock;
use crate::source;
use crate::source::Source;

use super::portal::Beside;
use super::portal::Door;
use super::portal::Portal;
use super::server;

/// What a daemon is made of.
pub(in crate::cli) struct Parts {
    pub(in crate::cli) source: source::Settings,
    /// Where the copy of the repository is kept.
    pub(in crate::cli) cache: PathBuf,
    pub(in crate::cli) kubeconfigs: Kubeconfigs,
    /// Where history is kept, if it is.
    pub(in crate::cli) database: postgres::Settings,
    pub(in crate::cli) history: recorder::Settings,
    pub(in crate::cli) listen: SocketAddr,
    /// Where and how the portal is served, if it is.
    pub(in crate::cli) portal: portal::Settings,
    /// Who takes money for us, if anybody does.
    pub(in crate::cli) payments: payments::settings::Settings,
    pub(in crate::cli) mail: smtp::Settings,
    /// How hosts are reached, if they are.
    pub(in crate::cli) hosts: Option<Keeping>,
    pub(in crate::cli) verify_every: Duration,
    pub(in crate::cli) webhook_secret: Option<Secret>,
    /// Who else hears what happens.
    pub(in crate::cli) audience: Option<mpsc::UnboundedSender<Note>>,
}

/// A daemon that runs and answers.
pub(in crate::cli) struct Daemon {
    address: SocketAddr,
    following: daemon::Daemon,
    serving: JoinHandle<std::io::Result<()>>,
    portal: Option<Portal>,
}

impl Daemon {
    pub(in crate::cli) async fn start(parts: Parts) -> Result<Self, Failure> {
        let source = Source::open(parts.source, &parts.cache).await?;
        let listener = TcpListener::bind(parts.listen)
            .await
            .with_context(|| format!("{} cannot be listened at", parts.listen))
            .or_help("end what listens there, or name another address with --listen")?;
        let address = listener.local_addr().context("the listener has no address")?;
        let database = match &parts.database.database_url {
            Some(_) => Some(Database::start(parts.database)?),
            None => None,
        };
        let providers = parts
            .payments
            .read()
            .context("payments cannot be taken")
            .or_help("correct the file that --payments-file names, or leave it out")?;
        let (shown, clusters) = watch::channel(Followed::new());
        let beside = Beside {
            source: &source,
            cache: &parts.cache,
            providers,
            mail: parts.mail,
            webhook_secret: parts.webhook_secret.clone(),
            clusters,
        };
        let door = Door::open(&parts.portal, database.as_ref(), beside).await?;
        let recorder = match database {
            Some(database) => Recorder::start(database, &parts.history),
            None => Recorder::to_nowhere(),
        };
        let daemon = daemon::Daemon::start(daemon::Parts {
            source: source.clone(),
            kubeconfigs: parts.kubeconfigs,
            recorder,
            clock: Clock::system(),
            hosts: parts.hosts,
            verify_every: parts.verify_every,
            clusters: shown,
            listener: parts.audience,
        })
        .await;
        let answers = server::Answers {
            source,
            junction: daemon.junction().clone(),
            overview: daemon.overview(),
            webhook_secret: parts.webhook_secret,
        };
        let serving = tokio::spawn(server::serve(listener, Arc::new(answers)));
        let portal = door.map(|door| door.serve(daemon.desired()));
        Ok(Self { address, following: daemon, serving, portal })
    }

    /// Where it answers over HTTP.
    pub(in crate::cli) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the portal answers, if there is one.
    pub(in crate::cli) fn portal_address(&self) -> Option<SocketAddr> {
        self.portal.as_ref().map(Portal::address)
    }

    /// Waits until nothing more can be done without the world changing.
    pub(in crate::cli) async fn settled(&self) -> Vec<UnitStatus> {
        self.following.junction().settled().await
    }

    /// Stops, once the runs under way have ended.
    pub(in crate::cli) async fn stop(self, output: &Output) {
        if let Some(portal) = self.portal {
            portal.stop().await;
        }
        if !self.following.stop().await {
            output
                .note("what is under way takes too long; it goes on when the daemon starts again");
        }
        self.serving.abort();
    }
}
