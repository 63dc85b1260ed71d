//! What the daemon answers over HTTP: is it alive, is it ready, its numbers, and the webhook that
//! only means "look".

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::extract::Query;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;
use serde::Deserialize;
use serde::Serialize;
use tokio::net::TcpListener;

use crate::model::Commit;
use crate::model::Secret;
use crate::reconcile::Junction;
use crate::reconcile::note::UnitStatus;
use crate::reconcile::overview::Overview;
use crate::reconcile::targets::ClusterTarget;
use crate::source::Source;
use crate::source::webhook;

use super::metrics;

/// A webhook says little; whoever sends more is not one.
const LARGEST_BODY: usize = 256 << 10;

/// What the answers are made of.
pub(super) struct Answers {
    pub(super) source: Source,
    pub(super) junction: Junction<ClusterTarget>,
    pub(super) overview: tokio::sync::watch::Receiver<Arc<Overview>>,
    pub(super) webhook_secret: Option<Secret>,
}

/// Answers for ever.
pub(super) async fn serve(listener: TcpListener, answers: Arc<Answers>) -> std::io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/status", get(status))
        .route("/settled", get(settled))
        .route("/metrics", get(numbers))
        .route("/hooks/git", post(look))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(answers);
    axum::serve(listener, router).await
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Readiness {
    ready: bool,
    /// What cannot be reached, and why.
    reasons: Vec<String>,
}

/// Ready is who has read a commit and reaches everything; what can go on goes on meanwhile.
async fn ready(State(answers): State<Arc<Answers>>) -> Response {
    let overview = answers.overview.borrow().clone();
    let mut reasons: Vec<String> = overview
        .away
        .iter()
        .map(|(what, (why, since))| format!("{what} since {since}: {why}"))
        .collect();
    if overview.commit.is_none() {
        reasons.push("no commit was read yet".to_owned());
    }
    let ready = reasons.is_empty();
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(Readiness { ready, reasons })).into_response()
}

async fn status(State(answers): State<Arc<Answers>>) -> Json<Overview> {
    Json(Overview::clone(&answers.overview.borrow()))
}

#[derive(Deserialize)]
struct Wanted {
    commit: Option<String>,
}

/// Where everybody stood when nothing more could be done.
#[derive(Serialize)]
struct Settled {
    commit: Option<Commit>,
    units: Vec<UnitStatus>,
}

/// Waits until a commit, or one after it, is what is wanted, and nothing more can be done for it
/// without the world changing. A pipeline asks this after its push; how long it waits is up to it.
async fn settled(
    State(answers): State<Arc<Answers>>,
    Query(Wanted { commit }): Query<Wanted>,
) -> Response {
    let mut overview = answers.overview.clone();
    loop {
        let taken = overview.borrow_and_update().commit.clone();
        let reached = match (&taken, &commit) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(taken), Some(wanted)) => {
                let objects = answers.source.objects();
                match objects.descends(taken, &Commit::new(wanted)).await {
                    Ok(reached) => reached,
                    Err(error) => {
                        let why = format!("`{wanted}` is no commit: {error}\n");
                        return (StatusCode::BAD_REQUEST, why).into_response();
                    }
                }
            }
        };
        if reached {
            let units = answers.junction.settled().await;
            return Json(Settled { commit: taken, units }).into_response();
        }
        if overview.changed().await.is_err() {
            return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
        }
    }
}

async fn numbers(State(answers): State<Arc<Answers>>) -> Response {
    let text = metrics::text(&answers.overview.borrow());
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
        .into_response()
}

/// Takes a webhook. What it says is not read: it only means that there is something to see.
async fn look(State(answers): State<Arc<Answers>>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(secret) = &answers.webhook_secret else {
        let why = "webhooks are off: start the daemon with --webhook-secret-file\n";
        return (StatusCode::NOT_FOUND, why).into_response();
    };
    match webhook::verify(secret, &headers, &body) {
        Ok(()) => {
            answers.source.look_now();
            (StatusCode::ACCEPTED, "looking\n").into_response()
        }
        Err(refusal) => (StatusCode::UNAUTHORIZED, format!("{refusal}\n")).into_response(),
    }
}
