//! A client that keeps no connection and believes nothing: it shows what was answered.

use http::HeaderMap;
use http::Request;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

pub(crate) struct Client {
    address: String,
    inner: HyperClient<HttpConnector, Full<axum::body::Bytes>>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// Null where it is no JSON.
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The code of a problem; empty where it is none.
    pub(crate) fn code(&self) -> &str {
        if self.header("content-type") == "application/problem+json" {
            self.json["code"].as_str().unwrap_or_default()
        } else {
            ""
        }
    }
}

impl Client {
    pub(crate) fn at(address: String) -> Self {
        Self { address, inner: HyperClient::builder(TokioExecutor::new()).build_http() }
    }

    /// Sends a request below `/api/v1`. Without a token (empty) nobody is logged in.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let text = body.map(|body| body.to_string());
        let kind = text.as_ref().map(|_| ("content-type", "application/json"));
        let headers: Vec<_> = kind.into_iter().chain(headers.iter().copied()).collect();
        self.send_text(method, path, token, text.unwrap_or_default(), &headers).await
    }

    /// Reads what is no text.
    pub(crate) async fn bytes(&self, path: &str, token: &str) -> Vec<u8> {
        let uri = format!("http://{}/api/v1{path}", self.address);
        let request = Request::get(uri).header("authorization", format!("Bearer {token}"));
        let response = self.inner.request(request.body(Full::default()).unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        response.into_body().collect().await.unwrap().to_bytes().to_vec()
    }

    /// Sends any text as the body.
    pub(crate) async fn send_text(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: String,
        headers: &[(&str, &str)],
    ) -> Answer {
        let uri = format!("http://{}/api/v1{path}", self.address);
        let mut request = Request::builder().method(method).uri(uri);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let response = self.inner.request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let json = serde_json::from_str(&text).unwrap_or_default();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text, json }
    }
}
