//! The portal's listener, and how it is set.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::accounts::keys::KeySource;
use crate::model::PortalUrl;

/// How long requests under way may take to end when the portal is asked to stop.
const LAST_WORDS: Duration = Duration::from_secs(20);

/// How long somebody may take to send the head of a request, and a connection may be idle.
const HEADERS: Duration = Duration::from_secs(30);
/// How many connections are held at once; who comes later waits at the door.
const MOST_CONNECTIONS: usize = 4096;
const BREATH: Duration = Duration::from_millis(10);

/// Says when the portal is asked to stop: whoever answers for ever ends then.
#[derive(Clone, Debug)]
pub(super) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    pub(super) async fn told(&mut self) {
        drop(self.0.wait_for(|stopping| *stopping).await);
    }
}

/// Where the portal listens.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Portal")]
pub struct Settings {
    /// Serve the portal's API at this address; without one, there is no portal
    #[arg(long, value_name = "ADDRESS", env = "TENANTRY_API_LISTEN")]
    pub api_listen: Option<SocketAddr>,

    /// Where people find the portal, such as `https://portal.example.com`: links in mails lead there, and providers of payments send customers and notifications there
    #[arg(long, value_name = "URL", env = "TENANTRY_PORTAL_URL")]
    pub portal_url: Option<PortalUrl>,

    /// Believe the proxy in front: where requests come from (`X-Forwarded-For`), and that TLS ends there
    #[arg(long, env = "TENANTRY_API_BEHIND_PROXY")]
    pub api_behind_proxy: bool,

    /// Sign the portal's commits with the unencrypted SSH key (Ed25519) in this file
    #[arg(long, value_name = "FILE", env = "TENANTRY_API_COMMIT_KEY_FILE")]
    pub api_commit_key_file: Option<PathBuf>,

    /// Sign access tokens with the Ed25519 key in this file, as from `openssl genpkey -algorithm ed25519`; without one, a key is made once and kept in the database
    #[arg(long, value_name = "FILE", env = "TENANTRY_API_SIGNING_KEY_FILE")]
    pub api_signing_key_file: Option<PathBuf>,
}

impl Settings {
    /// Where the key comes from that access tokens are signed with.
    pub fn key_source(&self) -> KeySource {
        match &self.api_signing_key_file {
            Some(file) => KeySource::File(file.clone()),
            None => KeySource::Database,
        }
    }

    /// What is dangerous about these settings, if anything is.
    pub fn warning(&self) -> Option<String> {
        let address = self.api_listen?;
        let open = !address.ip().is_loopback() && !self.api_behind_proxy;
        open.then(|| {
            format!(
                "the portal listens at {address} without TLS: passwords and tokens can be read on the way; \
                 put a proxy with TLS in front and say --api-behind-proxy, or listen on loopback"
            )
        })
    }
}

/// Answers until `stop` ends, and then ends what is under way.
///
/// The listener's own loop, because `axum::serve` waits for ever for somebody who sends a header a
/// letter an hour, and takes as many of those as there are.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let stopping = watch::Sender::new(false);
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        // Those that have ended are let go.
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = accept(&listener, &room) => accepted,
            () = stop.as_mut() => break,
        };
        let (stream, peer, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file handles, or the peer is gone already: the next may be luckier.
                tracing::debug!("a connection could not be accepted: {error}");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let (router, stopping) = (router.clone(), stopping.subscribe());
        connections.spawn(async move {
            answer(stream, peer, router, stopping).await;
            drop(place);
        });
    }
    drop(listener);
    stopping.send_replace(true);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_WORDS, ended).await.is_err() {
        tracing::warn!("requests that took too long were cut off");
    }
    Ok(())
}

/// Waits for room, and for somebody to take it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, place))
}

/// Answers what comes through one connection.
async fn answer(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    stopping: watch::Receiver<bool>,
) {
    // Small answers leave at once.
    let _ = stream.set_nodelay(true);
    let mut stopping = Stopping(stopping);
    let for_requests = stopping.clone();
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(for_requests.clone());
        router.clone().oneshot(request.map(Body::new))
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADERS);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let served = tokio::select! {
        served = connection.as_mut() => Some(served),
        () = stopping.told() => None,
    };
    let served = if let Some(served) = served {
        served
    } else {
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    if let Err(error) = served {
        tracing::trace!("a connection broke off: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_for_everybody_is_warned_of() {
        let warning = |address: &str, behind: bool| {
            let settings = Settings {
                api_listen: Some(address.parse().unwrap()),
                api_behind_proxy: behind,
                ..Settings::default()
            };
            settings.warning().is_some()
        };
        assert!(warning("0.0.0.0:80", false));
        assert!(!warning("0.0.0.0:80", true));
        assert!(!warning("127.0.0.1:80", false));
        assert!(!warning("[::1]:80", false));
    }
}
