//! What the demo stands on: the played cluster, a private PostgreSQL, a repository, a folder.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use jiff::ToSpan as _;
use jiff::Zoned;

use crate::api::server as portal;
use crate::cli::Failure;
use crate::cli::run::Parts;
use crate::history::recorder;
use crate::model::cluster::SecretPlace;
use crate::notify::smtp;
use crate::payments;
use crate::postgres;
use crate::reconcile::daemon::VERIFY_EVERY;
use crate::reconcile::note::Note;
use crate::reconcile::targets::Kubeconfigs;
use crate::sandbox::Sandbox;
use crate::sandbox::SandboxOptions;
use crate::sandbox::postgres::PostgresOptions;
use crate::sandbox::postgres::PrivatePostgres;
use crate::source;
use crate::source::Address;

use super::example::Here;
use super::folder::Folder;
use super::hands::Hands;
use super::repository::Repository;

/// Everything that has to be there before the daemon starts, and is to be gone afterwards.
pub(super) struct Ground {
    pub(super) sandbox: Sandbox,
    pub(super) postgres: PrivatePostgres,
    pub(super) repository: Repository,
    pub(super) hands: Hands,
    pub(super) here: Here,
    pub(super) version: String,
    /// The database in which history is kept.
    pub(super) history: String,
    folder: Folder,
}

impl Ground {
    pub(super) async fn prepare() -> Result<Self, Failure> {
        let options = SandboxOptions::default();
        let version = options.version;
        let hasty = PostgresOptions::default();
        let (postgres, sandbox) =
            tokio::join!(PrivatePostgres::start(&hasty), Sandbox::start(options));
        let (postgres, sandbox) = (postgres?, sandbox?);
        let folder = Folder::new()?;
        std::fs::write(folder.path().join("kubeconfig"), sandbox.kubeconfig_yaml())?;
        let repository = Repository::new(&folder.path().join("tenants"))?;
        let hands = Hands::on(&sandbox.url())?;
        let admin = SecretPlace { namespace: "databases".into(), name: "postgres-admin".into() };
        let (user, password) = postgres.superuser();
        hands.give_admin(&admin, user, password).await.context("the cluster takes no Secret")?;
        let history = postgres.create_database("tenantry").await?;
        let expired = Zoned::now().checked_sub(2.days()).context("a clock at its beginning")?;
        let here =
            Here { minor: version.minor, database_port: postgres.port(), expired: expired.date() };
        let version = format!("{}.{}", version.major, version.minor);
        Ok(Self { sandbox, postgres, repository, hands, here, version, history, folder })
    }

    /// What a daemon on this ground is made of.
    pub(super) fn parts(&self, ear: tokio::sync::mpsc::UnboundedSender<Note>) -> Parts {
        let repository = self.repository.folder().to_owned();
        let mut source = source::Settings::of(Address::Folder(repository));
        source.poll = source::settings::Interval(Duration::from_secs(5));
        Parts {
            source,
            cache: self.folder.path().join("cache"),
            kubeconfigs: Kubeconfigs {
                default: Some(self.folder.path().join("kubeconfig")),
                ..Kubeconfigs::default()
            },
            database: postgres::Settings::of(&self.history),
            history: recorder::Settings::default(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            portal: portal::Settings::default(),
            payments: payments::settings::Settings::default(),
            mail: smtp::Settings::default(),
            hosts: None,
            verify_every: VERIFY_EVERY,
            webhook_secret: None,
            audience: Some(ear),
        }
    }

    /// Stops everything and waits until nothing of it is left.
    pub(super) async fn clear(self) -> Result<(), Failure> {
        self.sandbox.stop().await;
        let stopped = self.postgres.stop().await;
        self.folder.remove().await?;
        Ok(stopped?)
    }
}
