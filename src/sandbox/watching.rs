//! Watches: from a version on, every change of the selected objects, with bookmarks, and with 410
//! when the history does not reach back far enough.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::body::Bytes;
use futures_util::Stream;
use futures_util::stream;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::sandbox::cluster::Cluster;
use crate::sandbox::faults::Faults;
use crate::sandbox::kinds::Kind;
use crate::sandbox::object::Object;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::render::Shape;
use crate::sandbox::route::Parameters;
use crate::sandbox::select::Selector;
use crate::sandbox::store::Change;

/// A watch that never ends asks for a new one after this long, as a real server does.
const LONGEST: Duration = Duration::from_mins(40);

/// What is watched, and in which shape it is told.
pub(crate) struct Watched {
    pub(crate) kind: Arc<Kind>,
    pub(crate) api_version: String,
    pub(crate) namespace: String,
    pub(crate) selector: Selector,
    pub(crate) shape: Shape,
}

struct Watcher {
    cluster: Arc<Cluster>,
    watched: Watched,
    /// Everything up to here has been told.
    seen: u64,
    newest: watch::Receiver<u64>,
    dropped: watch::Receiver<u64>,
    faults: Arc<Faults>,
    waiting: VecDeque<Bytes>,
    bookmarks: bool,
    next_bookmark: Instant,
    end: Instant,
    ended: bool,
    first_table: bool,
}

/// Starts a watch, which is cut and loses events as the faults say.
pub(crate) fn start(
    cluster: Arc<Cluster>,
    watched: Watched,
    parameters: &Parameters,
    faults: Arc<Faults>,
) -> Result<Body, Refusal> {
    let asked = parameters.text("resourceVersion");
    let bookmarks = parameters.is_true("allowWatchBookmarks");
    let initial = if parameters.has("sendInitialEvents") {
        check_initial_events(parameters)?;
        parameters.is_true("sendInitialEvents")
    } else {
        asked.is_empty() || asked == "0"
    };
    let asked_version = if asked.is_empty() {
        0
    } else {
        asked
            .parse()
            .map_err(|_| Refusal::bad_request(format!("Invalid resource version {asked:?}")))?
    };
    let mut tx = cluster.store.lock();
    let newest = tx.newest(watched.kind.id);
    let now = tx.state.version;
    let existing = if initial { tx.list(watched.kind.id, &watched.namespace) } else { Vec::new() };
    drop(tx);

    let lasts =
        parameters.number("timeoutSeconds").filter(|seconds| *seconds > 0).map(Duration::from_secs);
    let start = Instant::now();
    let mut watcher = Watcher {
        bookmarks,
        next_bookmark: start + cluster.options.bookmark_every,
        cluster,
        seen: if initial { now } else { asked_version },
        newest,
        dropped: faults.dropped_watches(),
        faults,
        waiting: VecDeque::new(),
        end: start + lasts.unwrap_or(LONGEST).min(LONGEST),
        ended: false,
        first_table: true,
        watched,
    };
    for object in existing {
        if watcher.watched.selector.matches(&object) {
            watcher.tell("ADDED", &object);
        }
    }
    if parameters.is_true("sendInitialEvents") && bookmarks {
        watcher.bookmark(true);
    }
    Ok(Body::from_stream(watcher.into_stream()))
}

fn check_initial_events(parameters: &Parameters) -> Result<(), Refusal> {
    let matching = parameters.text("resourceVersionMatch");
    if matching != "NotOlderThan" {
        let problem = if matching.is_empty() {
            "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        } else {
            "resourceVersionMatch: Unsupported value: supported values: \"NotOlderThan\""
        };
        return Err(Refusal::new(
            422,
            "Invalid",
            format!("ListOptions.meta.k8s.io \"\" is invalid: {problem}"),
        ));
    }
    Ok(())
}

impl Watcher {
    fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> {
        stream::unfold(self, |mut watcher| async move {
            let bytes = watcher.next().await?;
            watcher.ended |= bytes.is_err();
            Some((bytes, watcher))
        })
    }

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            if !self.waiting.is_empty() {
                return Some(Ok(self.take_waiting()));
            }
            if self.ended {
                return None;
            }
            // Marked as seen before reading, so that a change in between wakes us again.
            self.newest.borrow_and_update();
            self.catch_up();
            if !self.waiting.is_empty() {
                continue;
            }
            let pause = if self.bookmarks { self.next_bookmark.min(self.end) } else { self.end };
            tokio::select! {
                changed = self.newest.changed() => self.ended |= changed.is_err(),
                _ = self.dropped.changed() => return Some(Err(io::Error::other("all watches were dropped on demand"))),
                () = tokio::time::sleep_until(pause) => {
                    if self.bookmarks {
                        self.bookmark(false);
                    }
                    self.ended |= pause == self.end;
                }
            }
        }
    }

    /// Several events in one piece, which is cheaper for both sides.
    fn take_waiting(&mut self) -> Bytes {
        if self.waiting.len() == 1 {
            return self.waiting.pop_front().unwrap_or_default();
        }
        let mut together = Vec::new();
        while let Some(event) = self.waiting.pop_front() {
            together.extend_from_slice(&event);
            if together.len() > 64 * 1024 {
                break;
            }
        }
        together.into()
    }

    fn catch_up(&mut self) {
        let tx = self.cluster.store.lock();
        let version = tx.state.version;
        let changes = tx.changes_after(self.watched.kind.id, self.seen);
        drop(tx);
        match changes {
            Ok(changes) => {
                for change in &changes {
                    self.tell_change(change);
                }
                // A watch may be asked for from a version that is yet to come.
                self.seen = self.seen.max(version);
            }
            Err(too_old) => {
                let message =
                    format!("too old resource version: {} ({})", self.seen, too_old.oldest);
                let event =
                    json!({"type": "ERROR", "object": Refusal::expired(message).to_status()});
                self.waiting.push_back(format!("{event}\n").into());
                self.ended = true;
            }
        }
    }

    fn tell_change(&mut self, change: &Change) {
        let object = &change.after;
        if !self.watched.namespace.is_empty() && *object.key.namespace != *self.watched.namespace {
            return;
        }
        let selector = &self.watched.selector;
        let was = change.before.as_deref().is_some_and(|before| selector.matches(before));
        let is = !change.deleted && selector.matches(object);
        if self.faults.lose(&self.watched.kind.plural, &object.key.namespace, &object.key.name) {
            return;
        }
        match (was, is) {
            (false, true) => self.tell("ADDED", object),
            (true, true) => self.tell("MODIFIED", object),
            (true, false) => {
                // The last state that was selected, with the version of its leaving.
                let last =
                    change.before.as_deref().unwrap_or(object).clone().at_version(change.version);
                self.tell("DELETED", &last);
            }
            (false, false) => {}
        }
    }

    fn tell(&mut self, what: &str, object: &Object) {
        let mut event = format!(r#"{{"type":"{what}","object":"#).into_bytes();
        let Watched { kind, api_version, shape, .. } = &self.watched;
        shape.write(kind, api_version, object, self.first_table, &mut event);
        self.first_table = false;
        event.extend_from_slice(b"}\n");
        self.waiting.push_back(event.into());
    }

    fn bookmark(&mut self, initial_events_end: bool) {
        self.next_bookmark = Instant::now() + self.cluster.options.bookmark_every;
        let mut metadata =
            json!({"resourceVersion": self.seen.to_string(), "creationTimestamp": null});
        if initial_events_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object =
            self.watched.shape.bookmark(&self.watched.kind, &self.watched.api_version, metadata);
        self.waiting
            .push_back(format!("{}\n", json!({"type": "BOOKMARK", "object": object})).into());
    }
}
