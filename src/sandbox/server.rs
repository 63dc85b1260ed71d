//! The HTTP side: what every request goes through, and the paths that are about no resource.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::StatusCode;
use http::header::ACCEPT;
use http::header::CONTENT_TYPE;
use http::header::RETRY_AFTER;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use crate::sandbox::actions;
use crate::sandbox::cluster::Cluster;
use crate::sandbox::discovery;
use crate::sandbox::faults;
use crate::sandbox::faults::Fault;
use crate::sandbox::faults::Faults;
use crate::sandbox::faults::Traffic;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::requests::Counter;
use crate::sandbox::route::Parameters;
use crate::sandbox::route::Route;

const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// What all requests share.
pub(crate) struct Serving {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) requests: Counter,
}

/// A request, read whole.
pub(crate) struct Incoming {
    pub(crate) route: Route,
    pub(crate) parameters: Parameters,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Incoming {
    pub(crate) fn header(&self, name: &http::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

pub(crate) fn router(serving: Arc<Serving>) -> Router {
    Router::new().fallback(serve).with_state(serving)
}

async fn serve(State(serving): State<Arc<Serving>>, request: Request<Body>) -> Response {
    answer(&serving, request).await.unwrap_or_else(|refusal| refuse(&refusal))
}

async fn answer(serving: &Arc<Serving>, request: Request<Body>) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().trim_end_matches('/');
    if let Some(path) = path.strip_prefix("/sandbox") {
        let body = read(body).await?;
        return control(serving, &parts.method, path, &body);
    }
    let Some(route) = Route::of(path) else {
        serving.requests.count("discover", path);
        let accept =
            parts.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        return about_the_server(&serving.cluster, path, accept).ok_or_else(Refusal::no_such_path);
    };
    let parameters = Parameters::of(&parts.uri);
    let content_type =
        parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let verb = verb_of(&parts.method, &route, &parameters, content_type);
    serving.requests.count(verb, &route.counted_as());
    let Route { resource, namespace, name, .. } = &route;
    serving.faults.pass(&faults::Request { verb, resource, namespace, name }).await?;
    let body = read(body).await?;
    let incoming = Incoming { route, parameters, headers: parts.headers, body };
    actions::perform(serving, verb, &incoming)
}

async fn read(body: Body) -> Result<Vec<u8>, Refusal> {
    let bytes = axum::body::to_bytes(body, LARGEST_BODY).await;
    bytes.map(Vec::from).map_err(|_| {
        Refusal::new(413, "RequestEntityTooLarge", "Request entity too large: limit is 16777216")
    })
}

fn verb_of(
    method: &Method,
    route: &Route,
    parameters: &Parameters,
    content_type: &str,
) -> &'static str {
    match (method.as_str(), route.name.is_empty()) {
        ("GET", true) if parameters.is_true("watch") => "watch",
        ("GET", true) => "list",
        ("GET", false) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) if content_type.contains("apply-patch") => "apply",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "deletecollection",
        ("DELETE", false) => "delete",
        _ => "other",
    }
}

/// Discovery, versions, health.
fn about_the_server(cluster: &Cluster, path: &str, accept: &str) -> Option<Response> {
    let aggregated =
        accept.contains("g=apidiscovery.k8s.io;v=v2;") && cluster.kinds.version.minor >= 30;
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let value = match &parts[..] {
        ["version"] => discovery::version(cluster),
        ["healthz" | "readyz" | "livez", ..] => {
            return Some(plain(StatusCode::OK, "text/plain", "ok"));
        }
        ["api"] if aggregated => return Some(aggregate(cluster, true)),
        ["apis"] if aggregated => return Some(aggregate(cluster, false)),
        ["api"] => discovery::core_versions(),
        ["apis"] => discovery::group_list(cluster),
        ["api", version] => discovery::resources(cluster, "", version)?,
        ["apis", group] => discovery::group(cluster, group)?,
        ["apis", group, version] => discovery::resources(cluster, group, version)?,
        ["openapi", "v2"] => discovery::openapi_v2(),
        ["openapi", "v3"] => discovery::openapi_index(cluster),
        ["openapi", "v3", "api", version] => discovery::openapi(cluster, "", version),
        ["openapi", "v3", "apis", group, version] => discovery::openapi(cluster, group, version),
        [] => {
            json!({"paths": ["/api", "/apis", "/healthz", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]})
        }
        _ => return None,
    };
    Some(json_answer(StatusCode::OK, &value))
}

fn aggregate(cluster: &Cluster, core: bool) -> Response {
    plain(StatusCode::OK, discovery::AGGREGATED, discovery::aggregated(cluster, core).to_string())
}

/// What a test or a person asks of the sandbox itself.
fn control(
    serving: &Serving,
    method: &Method,
    path: &str,
    body: &[u8],
) -> Result<Response, Refusal> {
    let faults = &serving.faults;
    match (method.as_str(), path) {
        ("GET", "/requests") => {
            let counts = serving.requests.counts();
            Ok(json_answer(StatusCode::OK, &json!({"total": counts.total(), "requests": counts})))
        }
        ("GET", "/faults") => Ok(json_answer(StatusCode::OK, &json!(faults.all()))),
        ("POST", "/faults") => {
            let wanted: Trouble = serde_json::from_slice(body)
                .map_err(|error| Refusal::bad_request(format!("these are no faults: {error}")))?;
            wanted.cause(faults);
            Ok(json_answer(StatusCode::OK, &json!(faults.all())))
        }
        ("DELETE", "/faults") => {
            faults.clear();
            Ok(json_answer(StatusCode::OK, &json!([])))
        }
        ("POST", "/forget-history") => {
            serving.cluster.store.lock().forget_history();
            Ok(json_answer(StatusCode::OK, &json!({})))
        }
        ("GET", "/objects") => {
            let count = serving.cluster.store.lock().count();
            Ok(json_answer(StatusCode::OK, &json!({"count": count})))
        }
        _ => Err(Refusal::no_such_path()),
    }
}

/// The body of `POST /sandbox/faults`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
#[derive(Default)]
struct Trouble {
    faults: Vec<Fault>,
    drop_watches: bool,
    traffic: Option<Traffic>,
    /// How long the traffic is stopped; without, until the process says otherwise.
    for_ms: Option<u64>,
}

impl Trouble {
    fn cause(self, faults: &Arc<Faults>) {
        for fault in self.faults {
            faults.add(fault);
        }
        if self.drop_watches {
            faults.drop_watches();
        }
        if let Some(traffic) = self.traffic {
            let faults = faults.clone();
            let pause = self.for_ms.map(std::time::Duration::from_millis);
            tokio::spawn(async move {
                // The answer to this very request should still get through.
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                faults.set_traffic(traffic);
                if let Some(pause) = pause {
                    tokio::time::sleep(pause).await;
                    faults.set_traffic(Traffic::Flowing);
                }
            });
        }
    }
}

pub(crate) fn json_answer(status: StatusCode, value: &Value) -> Response {
    plain(status, "application/json", value.to_string())
}

pub(crate) fn plain(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Body>,
) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn refuse(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json_answer(status, &refusal.to_status());
    if let Some(seconds) = refusal.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
