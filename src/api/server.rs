//! The portal's listener, and how it is set.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;

use super::Api;
use crate::accounts::keys::KeySource;

/// How long requests under way may take to end when the portal is asked to stop.
const LAST_WORDS: Duration = Duration::from_secs(20);

/// Where the portal listens.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Portal")]
pub struct Settings {
    /// Serve the portal's API at this address; without one, there is no portal
    #[arg(long, value_name = "ADDRESS", env = "TENANTRY_API_LISTEN")]
    pub api_listen: Option<SocketAddr>,

    /// Believe the proxy in front: where requests come from (`X-Forwarded-For`), and that TLS ends there
    #[arg(long, env = "TENANTRY_API_BEHIND_PROXY")]
    pub api_behind_proxy: bool,

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
pub async fn serve(
    listener: TcpListener,
    api: &Api,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = api.router(Router::new());
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let (stopping, mut stopped) = tokio::sync::watch::channel(false);
    let signal = async move {
        stop.await;
        stopping.send_replace(true);
    };
    let serving = axum::serve(listener, service).with_graceful_shutdown(signal);
    let deadline = async {
        if stopped.wait_for(|stopped| *stopped).await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(LAST_WORDS).await;
    };
    tokio::select! {
        served = serving => served,
        () = deadline => Ok(()),
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
                api_signing_key_file: None,
            };
            settings.warning().is_some()
        };
        assert!(warning("0.0.0.0:80", false));
        assert!(!warning("0.0.0.0:80", true));
        assert!(!warning("127.0.0.1:80", false));
        assert!(!warning("[::1]:80", false));
    }
}
