//! Streams of server-sent events (WHATWG HTML, 9.2): what is told as it happens, for as long as
//! somebody listens and still may. A stream that breaks off is read on from the last `id`.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::header;
use axum::response::IntoResponse as _;
use axum::response::Response;
use axum::response::sse::Event;
use axum::response::sse::Sse;
use futures_util::stream;
use tokio::time::Instant;
use uuid::Uuid;

use super::Api;
use super::problem;
use super::problem::Problem;
use super::server::Stopping;
use crate::accounts::Principal;
use crate::operations::OperationError;
use crate::operations::live::Following;
use crate::operations::live::News;

/// A proxy that collects an answer before it passes it on is asked not to.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");
/// When to come again after a stream broke off.
const COME_AGAIN: Duration = Duration::from_secs(3);

/// How streams are held.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How long a stream says nothing at most: what lies between takes silence for the end.
    pub heartbeat: Duration,
    /// How often it is looked whether whoever listens still may.
    pub look: Duration,
    /// How many one account may hold at once.
    pub most: usize,
    /// How many are held in all, so that there is always room for other requests.
    pub in_all: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(15),
            look: Duration::from_mins(1),
            most: 8,
            in_all: 2048,
        }
    }
}

/// Who holds how many streams.
pub(super) struct Places {
    policy: Policy,
    taken: Arc<Mutex<HashMap<Uuid, usize>>>,
}

/// A place that somebody holds; it is free again when this is dropped.
pub struct Place {
    account: Uuid,
    taken: Arc<Mutex<HashMap<Uuid, usize>>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = taken.get_mut(&self.account) {
            *held -= 1;
            if *held == 0 {
                taken.remove(&self.account);
            }
        }
    }
}

impl Places {
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy, taken: Arc::default() }
    }

    fn take(&self, account: Uuid) -> Result<Place, Problem> {
        let Policy { most, in_all, .. } = self.policy;
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.get(&account).is_some_and(|held| *held >= most) {
            let detail = format!("{most} streams at once are allowed: end one of them");
            return Err(Problem::new(problem::QUOTA, detail).retry_after(COME_AGAIN));
        }
        if taken.values().sum::<usize>() >= in_all {
            return Err(Problem::away("too many streams are held here: ask for the state instead"));
        }
        *taken.entry(account).or_default() += 1;
        Ok(Place { account, taken: Arc::clone(&self.taken) })
    }
}

impl Api {
    /// A place for one more stream of this account.
    pub fn place(&self, principal: &Principal) -> Result<Place, Problem> {
        self.shared.places.take(principal.account)
    }
}

/// A stream that is to be answered.
pub struct Told {
    pub following: Following,
    /// What is told first.
    pub first: Vec<Arc<News>>,
    /// Whether it ends with the end of an operation.
    pub ends: bool,
    /// How an event is written.
    pub write: fn(&News) -> String,
}

/// Somebody who listens.
struct Listening {
    told: Told,
    waiting: VecDeque<Arc<News>>,
    api: Api,
    principal: Principal,
    stopping: Option<Stopping>,
    looked: Instant,
    is_over: bool,
    _place: Place,
}

/// Answers with a stream.
pub(super) fn answer(
    api: &Api,
    principal: &Principal,
    place: Place,
    stopping: Option<Stopping>,
    told: Told,
) -> Response {
    let listening = Listening {
        waiting: told.first.iter().cloned().collect(),
        api: api.clone(),
        principal: principal.clone(),
        stopping,
        looked: Instant::now(),
        is_over: false,
        _place: place,
        told,
    };
    // An event without data is not told to the page, but its number is kept: whoever is cut off
    // before anything happened misses nothing either.
    let greeting = Event::default().retry(COME_AGAIN);
    let greeting = match listening.told.first.first() {
        Some(_) => greeting,
        None => greeting.id(listening.told.following.after().to_string()),
    };
    let rest = stream::unfold(listening, async |mut listening| {
        let event = listening.next().await?;
        Some((event, listening))
    });
    let events = stream::StreamExt::chain(stream::iter([greeting]), rest);
    let events = stream::StreamExt::map(events, Ok::<_, Infallible>);
    let mut response = Sse::new(events).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(UNBUFFERED, HeaderValue::from_static("no"));
    response
}

impl Listening {
    /// The next event, or a heartbeat; none at the end.
    async fn next(&mut self) -> Option<Event> {
        let Policy { heartbeat, look, .. } = self.api.shared.places.policy;
        let silent_until = Instant::now() + heartbeat;
        loop {
            if self.looked + look <= Instant::now() && !self.may_stay().await {
                return None;
            }
            if let Some(news) = self.waiting.pop_front() {
                self.is_over = self.told.ends && news.event.state.is_end();
                let event = Event::default().event("operation");
                return Some(
                    event.id(news.event.sequence.to_string()).data((self.told.write)(&news)),
                );
            }
            if self.is_over {
                return None;
            }
            tokio::select! {
                () = asked_to_stop(self.stopping.as_mut()) => return None,
                found = self.told.following.next() => match found {
                    Ok(found) => self.waiting.extend(found),
                    Err(error) => return self.break_off(&error),
                },
                () = tokio::time::sleep_until(self.looked + look) => {}
                () = tokio::time::sleep_until(silent_until) => {
                    return Some(Event::default().comment("heartbeat"));
                }
            }
        }
    }

    /// Whoever listens comes again, and reads on.
    fn break_off(&self, error: &OperationError) -> Option<Event> {
        tracing::info!("a stream of {} broke off: {error}", self.principal.account);
        None
    }

    async fn may_stay(&mut self) -> bool {
        self.looked = Instant::now();
        let now = self.api.now();
        self.api.accounts().still_stands(&self.principal, now).await.unwrap_or(false)
    }
}

/// Never, where nobody could ask.
async fn asked_to_stop(stopping: Option<&mut Stopping>) {
    match stopping {
        Some(stopping) => stopping.told().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_holds_more_places_than_are_theirs_and_gives_back_what_they_leave() {
        let places = Places::new(Policy { most: 2, in_all: 3, ..Policy::default() });
        let (ada, bob) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let held = [places.take(ada).unwrap(), places.take(ada).unwrap()];
        assert_eq!(places.take(ada).err().map(|problem| problem.code()), Some("quota-exceeded"));
        let his = places.take(bob).unwrap();
        assert_eq!(places.take(bob).err().map(|problem| problem.code()), Some("unavailable"));
        drop(held);
        assert!(places.take(ada).is_ok());
        drop(his);
        assert!(places.taken.lock().unwrap().is_empty());
    }
}
