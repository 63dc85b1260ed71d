//! Speaking to providers: HTTPS with the machine's root certificates, no redirects, a time-out,
//! and no answer longer than any provider gives.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use http::Request;
use http::Uri;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use http_body_util::Limited;
use hyper_rustls::HttpsConnector;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde::Deserializer;
use serde::de;
use serde::de::DeserializeOwned;

use super::error::GatewayError;

/// How long a provider may take to answer. (Midtrans and `MoMo` give us as much for theirs.)
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 256 << 10;

/// Where a provider is: `https://…`, or `http://` on this machine, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base(String);

/// What was given where a [`Base`] belongs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address of a provider: write https://, a host, and no query")]
pub struct InvalidBase(String);

impl FromStr for Base {
    type Err = InvalidBase;

    fn from_str(text: &str) -> Result<Self, InvalidBase> {
        let wrong = || InvalidBase(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let host = uri.host().ok_or_else(wrong)?;
        let here = ["127.0.0.1", "[::1]", "localhost"].contains(&host);
        let safe = uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && here);
        let plain =
            uri.query().is_none() && uri.authority().is_some_and(|at| !at.as_str().contains('@'));
        if safe && plain { Ok(Self(text.trim_end_matches('/').to_owned())) } else { Err(wrong()) }
    }
}

impl<'de> Deserialize<'de> for Base {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for Base {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What a provider answered.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON. What it says is not repeated: it may hold what is nobody's business.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, GatewayError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            GatewayError::Unreadable(format!(
                "status {}, and the body is not the JSON it should be at line {}",
                self.status,
                error.line()
            ))
        })
    }
}

/// The client that all providers share. Clones are the same one.
#[derive(Clone)]
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    patience: Duration,
}

impl fmt::Debug for Http {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Http")
    }
}

impl Http {
    pub(super) fn open() -> Result<Self, std::io::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            patience: PATIENCE,
        })
    }

    /// Sends a request. Whoever does not answer in time, or says that it is their fault or too
    /// much, is away; a redirect is no answer.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, GatewayError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let away = |why: String| GatewayError::Away(format!("{host} {why}"));
        let answering = async {
            let response = self
                .client
                .request(request)
                .await
                .map_err(|error| away(format!("cannot be reached ({error})")))?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
            let body = body.map_err(|_| away("broke off, or answers without end".to_owned()))?;
            Ok::<_, GatewayError>(Answer { status, body: body.to_bytes() })
        };
        let answer = match tokio::time::timeout(self.patience, answering).await {
            Ok(answer) => answer?,
            Err(_) => return Err(away("does not answer in time".to_owned())),
        };
        match answer.status {
            300..400 => Err(GatewayError::Unreadable(format!("{host} answers with a redirect"))),
            408 | 425 | 429 | 500.. => Err(away(format!("answers with {}", answer.status))),
            _ => Ok(answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_spoken_of_through_tls_only() {
        for good in ["https://api.stripe.com", "https://api.stripe.com/", "http://127.0.0.1:4711"] {
            assert!(good.parse::<Base>().is_ok(), "{good}");
        }
        for bad in [
            "http://api.stripe.com",
            "ftp://api.stripe.com",
            "api.stripe.com",
            "https://",
            "https://key@api.stripe.com",
            "https://api.stripe.com/?a=b",
            "http://127.0.0.1.evil.example",
        ] {
            assert!(bad.parse::<Base>().is_err(), "{bad}");
        }
    }
}
