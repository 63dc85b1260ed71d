//! A client that keeps no connection and believes nothing: it shows what was answered.

use std::time::Duration;

use http::HeaderMap;
use http::Request;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

const STREAM: &str = "text/event-stream";
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Client {
    pub(crate) address: String,
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
        whole(response.into_body()).await
    }

    /// Opens a stream of events.
    pub(crate) async fn listen(&self, path: &str, token: &str, headers: &[(&str, &str)]) -> Stream {
        let mut request = Request::get(format!("http://{}/api/v1{path}", self.address));
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::default()).unwrap();
        let (parts, body) = self.inner.request(request).await.unwrap().into_parts();
        assert_eq!(parts.status.as_u16(), 200, "{path}");
        assert_eq!(parts.headers["content-type"], STREAM);
        Stream { headers: parts.headers, body, text: String::new() }
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
        self.try_to_send(method, path, token, body, headers).await.expect("the portal answers")
    }

    /// The same of a portal that may be gone before it has answered.
    pub(crate) async fn try_to_send(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: String,
        headers: &[(&str, &str)],
    ) -> Option<Answer> {
        let uri = format!("http://{}/api/v1{path}", self.address);
        let mut request = Request::builder().method(method).uri(uri);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let (parts, body) = self.inner.request(request).await.ok()?.into_parts();
        let streams = parts.headers.get("content-type").is_some_and(|kind| kind == STREAM);
        let bytes = if streams {
            beginning(body).await
        } else {
            body.collect().await.ok()?.to_bytes().to_vec()
        };
        let text = String::from_utf8(bytes).unwrap();
        let json = serde_json::from_str(&text).unwrap_or_default();
        Some(Answer { status: parts.status.as_u16(), headers: parts.headers, text, json })
    }
}

async fn whole(body: Incoming) -> Vec<u8> {
    body.collect().await.unwrap().to_bytes().to_vec()
}

/// What a stream says at first: it may never end.
async fn beginning(mut body: Incoming) -> Vec<u8> {
    let mut bytes = Vec::new();
    let reading = async {
        while let Some(frame) = body.frame().await {
            bytes.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
    };
    let _ = tokio::time::timeout(Duration::from_millis(500), reading).await;
    bytes
}

/// A stream of events that is read as an `EventSource` reads it. To drop it is to be cut off.
pub(crate) struct Stream {
    pub(crate) headers: HeaderMap,
    body: Incoming,
    text: String,
}

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: Option<i64>,
    pub(crate) name: String,
    pub(crate) retry: String,
    pub(crate) comment: String,
    /// Null where it has none.
    pub(crate) data: Value,
}

impl Stream {
    /// The next event; none at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let event = parse(&self.text[..end]);
                self.text.drain(..end + 2);
                return Some(event);
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await;
            let frame = frame.expect("the stream says nothing")?;
            self.text += std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap();
        }
    }

    /// The next that tells something: no heartbeat and no greeting.
    pub(crate) async fn news(&mut self) -> Option<Event> {
        loop {
            let event = self.next().await?;
            if event.data != Value::Null {
                return Some(event);
            }
        }
    }

    /// Whether nothing is told for a while.
    pub(crate) async fn is_silent(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(800), self.news()).await.is_err()
    }
}

fn parse(text: &str) -> Event {
    let mut event = Event::default();
    for line in text.lines() {
        let (field, value) = line.split_once(':').unwrap();
        let value = value.trim_start();
        match field {
            "" => value.clone_into(&mut event.comment),
            "id" => event.id = Some(value.parse().unwrap()),
            "event" => value.clone_into(&mut event.name),
            "retry" => value.clone_into(&mut event.retry),
            "data" => event.data = serde_json::from_str(value).unwrap(),
            other => panic!("no field of an event: {other}"),
        }
    }
    event
}
