//! A Kubernetes API on loopback and a private PostgreSQL, for the demo and for tests.
//!
//! ```text
//!   HTTP ──► listener ──► server ──► actions, parts ──► write ──► store ──► watching
//!                            │                            │          │
//!                         faults,                    ownership,      └──► controllers
//!                         requests                   validate, quota       (played nodes)
//! ```
//!
//! It is no mock: lists, watches, server-side apply, quotas and refusals follow the real API
//! server, and `tests/sandbox` runs the same expectations against both.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub mod postgres;

mod kinds;
mod schema;
mod quantity;
mod fields;
mod typed;
mod object;
mod store;
mod cluster;
mod write;
mod decode;
mod protobuf;
mod defaults;
mod prepare;
mod validate;
mod ownership;
mod patch;
mod quota;
mod select;
mod list;
mod watching;
mod render;
mod table;
mod refusal;
mod route;
mod discovery;
mod actions;
mod parts;
mod metrics;
mod server;
mod listener;
mod faults;
mod requests;
mod controllers;

pub use self::cluster::Pace;
pub use self::cluster::SandboxOptions;
pub use self::faults::Fault;
pub use self::faults::Faults;
pub use self::faults::Traffic;
pub use self::kinds::Version;
pub use self::requests::RequestCounts;

use self::cluster::Cluster;
use self::controllers::Controllers;
use self::listener::Door;
use self::requests::Counter;
use self::server::Serving;

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("could not listen on 127.0.0.1: is the loopback interface up?")]
    Listen(#[source] io::Error),
}

/// A running cluster. It ends when it is stopped or dropped.
pub struct Sandbox {
    serving: Arc<Serving>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
    controllers: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts a cluster on a free port of 127.0.0.1.
    pub async fn start(options: SandboxOptions) -> Result<Self, SandboxError> {
        let play = options.controllers;
        let (cluster, notices) = Cluster::new(options);
        let cluster = Arc::new(cluster);
        let controllers = Controllers::new(cluster.clone());
        let controllers = play.then(|| tokio::spawn(controllers.run(notices)));
        let serving =
            Arc::new(Serving { cluster, faults: Arc::default(), requests: Counter::default() });
        let door = Door::open(serving.faults.traffic()).await.map_err(SandboxError::Listen)?;
        let address = door.address();
        let router = server::router(serving.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(async move {
            let until = async move { _ = stopped.await };
            // Serving ends only by being told to; there is no error to report then.
            _ = axum::serve(door, router).with_graceful_shutdown(until).await;
        });
        Ok(Self { serving, address, stop: Some(stop), server, controllers })
    }

    /// `http://127.0.0.1:PORT`, to be used without credentials.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A kubeconfig whose only context is this cluster.
    pub fn kubeconfig_yaml(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: sandbox\nclusters:\n- name: sandbox\n  cluster:\n    server: {}\n\
             users:\n- name: sandbox\n  user: {{}}\ncontexts:\n- name: sandbox\n  context:\n    cluster: sandbox\n    user: sandbox\n",
            self.url()
        )
    }

    /// What was asked of it until now.
    pub fn requests(&self) -> RequestCounts {
        self.serving.requests.counts()
    }

    /// Trouble to be had.
    pub fn faults(&self) -> &Faults {
        &self.serving.faults
    }

    /// From now on, things take so long.
    pub fn set_pace(&self, pace: Pace) {
        self.serving.cluster.set_pace(pace);
    }

    /// Forgets the history of changes, so that watches from older versions are answered by 410.
    pub fn forget_history(&self) {
        self.serving.cluster.store.lock().forget_history();
    }

    /// How many objects it holds.
    pub fn object_count(&self) -> usize {
        self.serving.cluster.store.lock().count()
    }

    /// Cuts all connections and ends.
    pub async fn stop(mut self) {
        self.end();
        // The server has been told to end; how it ended does not matter any more.
        _ = (&mut self.server).await;
    }

    fn end(&mut self) {
        self.serving.faults.set_traffic(Traffic::Refused);
        if let Some(controllers) = self.controllers.take() {
            controllers.abort();
        }
        if let Some(stop) = self.stop.take() {
            // It may have ended already.
            _ = stop.send(());
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.end();
    }
}
