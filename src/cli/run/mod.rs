//! `run`: the daemon, until told to stop.

mod daemon;
mod metrics;
mod portal;
mod server;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context as _;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

use crate::api;
use crate::history::recorder;
use crate::model::Name;
use crate::notify::smtp;
use crate::payments;
use crate::postgres;
use crate::reconcile::hosts::Keeping;
use crate::reconcile::targets::Kubeconfigs;
use crate::source;
use crate::source::settings::Interval;
use crate::source::webhook;

use super::Exit;
use super::Failure;
use super::Output;

pub(super) use daemon::Daemon;
pub(super) use daemon::Parts;

/// Follow a repository and keep every tenant as it says, until told to stop
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry run --repository /srv/tenants --kubeconfig ~/.kube/config
  tenantry run --repository https://git.example/tenants.git --kubeconfig saigon=/etc/tenantry/saigon")]
pub(super) struct Arguments {
    /// Keep the copy of the repository here
    #[arg(
        long,
        value_name = "FOLDER",
        env = "TENANTRY_CACHE",
        default_value = "/var/cache/tenantry"
    )]
    cache: PathBuf,
    /// Answer /healthz, /readyz, /status, /settled?commit=…, /metrics and /hooks/git at this address
    #[arg(long, value_name = "ADDRESS", env = "TENANTRY_LISTEN", default_value = "127.0.0.1:9440")]
    listen: SocketAddr,
    /// List all that is watched about this often, so that a change that no watch told is noticed
    #[arg(long, value_name = "TIME", env = "TENANTRY_VERIFY_EVERY", default_value = "30m")]
    verify_every: Interval,
    /// Log in to hosts with this private key, of ed25519 and without a passphrase; without one,
    /// hosts are left alone
    #[arg(long, value_name = "FILE", env = "TENANTRY_SSH_KEY")]
    ssh_key: Option<PathBuf>,
    /// Look at each host about this often, so that what somebody changed on it is put back
    #[arg(long, value_name = "TIME", env = "TENANTRY_HOSTS_EVERY", default_value = "10m")]
    hosts_every: Interval,
    #[command(flatten)]
    source: source::Settings,
    #[command(flatten)]
    clusters: Clusters,
    #[command(flatten)]
    database: postgres::Settings,
    #[command(flatten)]
    history: recorder::Settings,
    #[command(flatten)]
    webhook: webhook::Settings,
    #[command(flatten)]
    portal: api::server::Settings,
    #[command(flatten)]
    payments: payments::settings::Settings,
    #[command(flatten)]
    mail: smtp::Settings,
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
    pub(super) fn kubeconfigs(&self) -> Result<Kubeconfigs, Failure> {
        let mut files = BTreeMap::new();
        let mut default = None;
        for Kubeconfig { cluster, file } in &self.kubeconfigs {
            let before = match cluster {
                Some(cluster) => files.insert(cluster.clone(), file.clone()),
                None => default.replace(file.clone()),
            };
            if let Some(before) = before {
                let whose = cluster
                    .as_ref()
                    .map_or("all clusters".to_owned(), |name| format!("cluster `{name}`"));
                return Err(Failure::new(format!(
                    "--kubeconfig names two files for {whose}: {} and {}",
                    before.display(),
                    file.display()
                ))
                .help("name one, or write NAME=FILE for each cluster"));
            }
        }
        Ok(Kubeconfigs { files, default })
    }
}

pub(super) async fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let webhook_secret =
        arguments.webhook.secret().context("the webhook's secret cannot be read")?;
    let daemon = Daemon::start(Parts {
        source: arguments.source.clone(),
        cache: arguments.cache.clone(),
        kubeconfigs: arguments.clusters.kubeconfigs()?,
        database: arguments.database.clone(),
        history: arguments.history.clone(),
        listen: arguments.listen,
        portal: arguments.portal.clone(),
        payments: arguments.payments.clone(),
        mail: arguments.mail.clone(),
        hosts: arguments.ssh_key.clone().map(|key| Keeping { key, every: arguments.hosts_every.0 }),
        verify_every: arguments.verify_every.0,
        webhook_secret,
        audience: None,
    })
    .await?;
    let (repository, address) = (&arguments.source.repository, daemon.address());
    output.note(format!("following {repository}; listening at http://{address}"));
    if let Some(warning) = arguments.portal.warning() {
        tracing::warn!("{warning}");
    }
    if let Some(address) = daemon.portal_address() {
        output.note(format!("the portal answers at http://{address}/api/v1"));
    }

    told_to_stop().await?;
    output.note("stopping: what is under way ends first");
    daemon.stop(output).await;
    Ok(Exit::Fine)
}

/// Waits for the signal with which systemd, Kubernetes or a person at the terminal stops us.
pub(super) async fn told_to_stop() -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be waited for")?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted.context("signals cannot be waited for")?),
    }
}
