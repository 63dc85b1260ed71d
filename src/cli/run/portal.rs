//! The portal beside the daemon: the same database, and the commit that the daemon has taken.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::accounts::Accounts;
use crate::api;
use crate::api::Api;
use crate::api::Catalog;
use crate::api::server;
use crate::cli::Failure;
use crate::cli::failure::Helped as _;
use crate::postgres::Database;
use crate::reconcile::desired::Desired;

/// A portal that listens and does not answer yet: what is wrong with its settings is found before
/// the daemon starts.
pub(super) struct Door {
    listener: TcpListener,
    address: SocketAddr,
    api: Api,
}

/// A portal that answers.
pub(super) struct Portal {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
    feeding: JoinHandle<()>,
}

impl Door {
    /// Opens the door that the settings name; none where they name none.
    pub(super) async fn open(
        settings: &server::Settings,
        database: Option<&Database>,
    ) -> Result<Option<Self>, Failure> {
        let Some(listen) = settings.api_listen else { return Ok(None) };
        let Some(database) = database else {
            let failure = Failure::new("the portal needs a database, and none is named");
            return Err(failure.help("set --database-url, or leave out --api-listen"));
        };
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("{listen} cannot be listened at"))
            .or_help("end what listens there, or name another address with --api-listen")?;
        let address = listener.local_addr().context("the listener has no address")?;
        let accounts = Accounts::over(database.clone(), settings.key_source());
        let mut parts = api::Parts::usual(accounts, Catalog::default());
        parts.behind_proxy = settings.api_behind_proxy;
        Ok(Some(Self { listener, address, api: Api::new(parts) }))
    }

    /// Starts to answer, always from the newest commit.
    pub(super) fn serve(self, desired: watch::Receiver<Option<Arc<Desired>>>) -> Portal {
        let Self { listener, address, api } = self;
        let feeding = tokio::spawn(feed(api.catalog().clone(), desired));
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(async move {
            let stopped = async move {
                // Whoever drops the other end stops us, too.
                let _ = stopped.await;
            };
            server::serve(listener, api.router(Router::new()), stopped).await
        });
        Portal { address, stop, serving, feeding }
    }
}

impl Portal {
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends once the requests under way are answered.
    pub(super) async fn stop(self) {
        self.feeding.abort();
        // It may have ended already.
        let _ = self.stop.send(());
        if let Ok(Err(error)) = self.serving.await {
            tracing::warn!("the portal broke off: {error}");
        }
    }
}

/// Shows the portal each commit that is taken.
async fn feed(catalog: Catalog, mut desired: watch::Receiver<Option<Arc<Desired>>>) {
    loop {
        let newest = desired.borrow_and_update().clone();
        if let Some(newest) = newest {
            let catalog = catalog.clone();
            let publishing = tokio::task::spawn_blocking(move || {
                catalog.publish(newest.commit.clone(), Arc::clone(&newest.configuration));
            });
            if let Err(error) = publishing.await {
                tracing::error!("the portal keeps showing an older commit: {error}");
            }
        }
        if desired.changed().await.is_err() {
            return;
        }
    }
}
