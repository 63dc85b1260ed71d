//! What happens is told as it happens: in order, to whoever may know, and once, also across cuts.

use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use jiff::SignedDuration;
use serde_json::json;
use sqlx::Connection as _;
use sqlx::PgConnection;
use tenantry::accounts::Role;
use tenantry::api::server;
use tenantry::operations::Asker;
use tenantry::operations::Change;
use tenantry::operations::Intent;
use tenantry::operations::operation;
use tenantry::operations::operation::New;
use tenantry::operations::operation::State;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::Portal;
use super::client::Client;
use super::client::Event;
use super::client::Stream;
use crate::support::postgres::database;
use crate::support::postgres::shared;
use crate::support::proxy::Proxy;

impl Portal {
    /// An operation of a tenant, as it is accepted.
    async fn accepts(&self, db: &mut PgConnection, tenant: &str) -> Uuid {
        let asker = Asker {
            account: None,
            role: None,
            author: "Tenantry".to_owned(),
            email: "portal@tenantry.invalid".to_owned(),
            request_id: "a-request".to_owned(),
        };
        let change = Change::Restart { name: "school".parse().unwrap() };
        let tenant = tenant.parse().unwrap();
        let intent = Intent { tenant, change, undo: None, follow_up: None, asker };
        let now = *self.clock.lock().unwrap();
        let id = Uuid::now_v7();
        let new = New { id, intent: &intent, order: None, cause: None, due: now };
        operation::accept(db, new, now).await.unwrap();
        id
    }

    async fn accepted(&self, tenant: &str) -> Uuid {
        self.accepts(&mut self.pool.acquire().await.unwrap(), tenant).await
    }

    async fn enters(&self, id: Uuid, state: State) {
        let now = *self.clock.lock().unwrap();
        let mut transaction = self.pool.begin().await.unwrap();
        let operation = operation::locked(&mut transaction, id).await.unwrap();
        operation::enter(&mut transaction, &operation, state, None, now).await.unwrap();
        transaction.commit().await.unwrap();
    }

    async fn ticket(&self, access: &str) -> String {
        let answer = self.client.send("POST", "/events/tickets", access, None, &[]).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json["ticket"].as_str().unwrap().to_owned()
    }
}

fn operation_of(event: &Event) -> Uuid {
    event.data["operation"].as_str().unwrap().parse().unwrap()
}

async fn operations(stream: &mut Stream, many: usize) -> Vec<Uuid> {
    let mut all = Vec::new();
    for _ in 0..many {
        all.push(operation_of(&stream.news().await.unwrap()));
    }
    all
}

#[tokio::test]
async fn the_states_of_an_operation_are_told_in_order_and_the_stream_ends_with_the_last() {
    // How long an answer may take is no matter for a stream.
    let patience = Duration::from_millis(400);
    let opened = Portal::open_with(|parts| parts.patience = patience, Router::new()).await;
    let Some(portal) = opened else { return };
    let acme = portal.customer_of("acme").await;
    let id = portal.accepted("acme").await;
    let path = format!("/operations/{id}/events");
    let mut stream = portal.client.listen(&path, &acme.access, &[]).await;
    assert_eq!(stream.headers["cache-control"], "no-store");
    assert_eq!(stream.next().await.unwrap().retry, "3000");
    let first = stream.news().await.unwrap();
    assert_eq!((first.name.as_str(), &first.data["status"]), ("operation", &json!("accepted")));
    assert_eq!(first.data["subscription"], "acme.school");
    tokio::time::sleep(patience).await;
    for state in &State::WAY[1..] {
        portal.enters(id, *state).await;
        assert_eq!(stream.news().await.unwrap().data["status"], state.word());
    }
    assert_eq!(stream.next().await, None);

    // Whoever comes with the last number is told that there is nothing more; with an earlier one,
    // the rest; with one that is none of its, everything.
    let told = |id: i64| id.to_string();
    let first = first.id.unwrap();
    let headers = [("last-event-id", &*told(first))];
    let mut rest = portal.client.listen(&path, &acme.access, &headers).await;
    let mut last = first;
    for state in &State::WAY[1..] {
        let event = rest.news().await.unwrap();
        assert_eq!(event.data["status"], state.word());
        assert!(event.id.unwrap() > last);
        last = event.id.unwrap();
    }
    assert_eq!(rest.next().await, None);
    let headers = [("last-event-id", &*told(last))];
    let answer = portal.client.send("GET", &path, &acme.access, None, &headers).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    let after = format!("{path}?after={}", last + 1000);
    let mut all = portal.client.listen(&after, &acme.access, &[]).await;
    assert_eq!(all.news().await.unwrap().id, Some(first));
    let headers = [("last-event-id", "yesterday")];
    let answer = portal.client.send("GET", &path, &acme.access, None, &headers).await;
    assert_eq!(
        (answer.code(), &answer.json["errors"][0]["field"]),
        ("invalid-fields", &json!("Last-Event-ID"))
    );
}

#[tokio::test]
async fn nobody_hears_of_another_tenant_s_operations() {
    let Some(portal) = Portal::open().await else { return };
    let acme = portal.customer_of("acme").await;
    let globex = portal.customer_of("globex").await;
    let operator = portal.staff(Role::Operator).await;
    let theirs = portal.accepted("acme").await;
    let path = format!("/operations/{theirs}");
    let plain = portal.get(&path, &globex.access).await;
    for foreign in [theirs, Uuid::now_v7()] {
        let path = format!("/operations/{foreign}/events");
        let answer = portal.get(&path, &globex.access).await;
        assert_eq!((answer.status, answer.code()), (plain.status, plain.code()));
        assert_eq!((answer.status, answer.code()), (404, "not-found"));
        assert_eq!(portal.get(&path, "").await.code(), "unauthenticated");
    }
    let mut of_acme = portal.client.listen("/events", &acme.access, &[]).await;
    let mut of_globex = portal.client.listen("/events", &globex.access, &[]).await;
    let mut of_all = portal.client.listen("/events", &operator.access, &[]).await;
    let (one, other) = (portal.accepted("acme").await, portal.accepted("globex").await);
    assert_eq!(operations(&mut of_all, 2).await, [one, other]);
    assert_eq!(operations(&mut of_acme, 1).await, [one]);
    assert_eq!(operations(&mut of_globex, 1).await, [other]);
    assert!(of_globex.is_silent().await);
    // Nor of what was before, where they ask for it.
    let mut before = portal.client.listen("/events?after=0", &globex.access, &[]).await;
    assert_eq!(operations(&mut before, 1).await, [other]);
    assert!(before.is_silent().await);
    assert_eq!(portal.get(&format!("{path}/events"), &operator.access).await.status, 200);
}

#[tokio::test]
async fn what_commits_late_is_told_before_what_was_numbered_after_it() {
    let Some(portal) = Portal::open().await else { return };
    let operator = portal.staff(Role::Operator).await;
    let mut stream = portal.client.listen("/events", &operator.access, &[]).await;
    let mut late = portal.pool.begin().await.unwrap();
    let first = portal.accepts(&mut late, "acme").await;
    let second = portal.accepted("globex").await;
    assert!(stream.is_silent().await);
    // Neither is the one told that cannot be read on from, to whoever comes meanwhile.
    let mut other = portal.client.listen("/events?after=0", &operator.access, &[]).await;
    assert!(other.is_silent().await);
    late.commit().await.unwrap();
    assert_eq!(operations(&mut stream, 2).await, [first, second]);
    assert_eq!(operations(&mut other, 2).await, [first, second]);

    let mut never = portal.pool.begin().await.unwrap();
    portal.accepts(&mut never, "acme").await;
    let third = portal.accepted("globex").await;
    assert!(stream.is_silent().await);
    never.rollback().await.unwrap();
    assert_eq!(operations(&mut stream, 1).await, [third]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_cut_off_again_and_again_misses_nothing_and_hears_nothing_twice() {
    const WRITERS: u64 = 6;
    const EACH: u64 = 25;
    let Some(portal) = Portal::open_with(|parts| parts.usual.quota = 10_000, Router::new()).await
    else {
        return;
    };
    let portal = Arc::new(portal);
    let operator = portal.staff(Role::Operator).await;
    let mut stream = portal.client.listen("/events", &operator.access, &[]).await;
    // Cut off before anything was told: the greeting has a number to come back with.
    let mut last = stream.next().await.unwrap().id.unwrap();
    drop(stream);
    let writing: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let portal = Arc::clone(&portal);
            tokio::spawn(async move {
                for round in 0..EACH {
                    let mut transaction = portal.pool.begin().await.unwrap();
                    portal.accepts(&mut transaction, "acme").await;
                    // Each holds what it wrote for another while.
                    let while_ = Duration::from_millis((writer * 7 + round * 13) % 40);
                    tokio::time::sleep(while_).await;
                    if (writer + round) % 5 == 0 {
                        transaction.rollback().await.unwrap();
                    } else {
                        transaction.commit().await.unwrap();
                    }
                }
            })
        })
        .collect();
    let mut told = Vec::new();
    let mut many = 1;
    let expected = usize::try_from(WRITERS * EACH * 4 / 5).unwrap();
    while told.len() < expected {
        let headers = [("last-event-id", &*last.to_string())];
        let mut stream = portal.client.listen("/events", &operator.access, &headers).await;
        for _ in 0..many.min(expected - told.len()) {
            last = stream.news().await.unwrap().id.unwrap();
            told.push(last);
        }
        many = many % 7 + 1;
    }
    for writing in writing {
        writing.await.unwrap();
    }
    let there: Vec<(i64,)> = sqlx::query_as("select sequence from operation_event order by 1")
        .fetch_all(&portal.pool)
        .await
        .unwrap();
    assert_eq!(told, there.into_iter().map(|(sequence,)| sequence).collect::<Vec<_>>());
}

#[tokio::test]
async fn more_than_is_read_at_once_and_than_is_kept_is_told_in_order() {
    const MANY: i64 = 2300;
    let Some(portal) = Portal::open().await else { return };
    let acme = portal.customer_of("acme").await;
    let id = portal.accepted("acme").await;
    let mut stream = portal.client.listen("/events", &acme.access, &[]).await;
    let begin = stream.next().await.unwrap().id.unwrap();
    sqlx::query(
        "insert into operation_event (operation_id, state, at)
         select $1, 'applying', now() from generate_series(1, $2)",
    )
    .bind(id)
    .bind(MANY)
    .execute(&portal.pool)
    .await
    .unwrap();
    let last = portal.client.listen(&format!("/events?after={begin}"), &acme.access, &[]).await;
    for mut stream in [stream, last] {
        for number in begin + 1..=begin + MANY {
            assert_eq!(stream.news().await.unwrap().id, Some(number));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_outlives_the_database_s_absence() {
    let Some(server) = shared().await else { return };
    let Some(url) = database().await else { return };
    let proxy = Proxy::to(server.port()).await;
    let through = url.replace(&format!(":{}/", server.port()), &format!(":{}/", proxy.port()));
    let portal = Portal::open_at(&through, |_| {}, Router::new()).await;
    let acme = portal.customer_of("acme").await;
    let mut stream = portal.client.listen("/events", &acme.access, &[]).await;
    let mut other = PgConnection::connect(&url).await.unwrap();
    let before = portal.accepts(&mut other, "acme").await;
    assert_eq!(operations(&mut stream, 1).await, [before]);
    proxy.go_away();
    let meanwhile = portal.accepts(&mut other, "acme").await;
    assert!(stream.is_silent().await);
    proxy.come_back();
    assert_eq!(operations(&mut stream, 1).await, [meanwhile]);
    let after = portal.accepts(&mut other, "acme").await;
    assert_eq!(operations(&mut stream, 1).await, [after]);
}

#[tokio::test]
async fn a_stream_that_has_nothing_to_tell_shows_that_it_is_there() {
    let change = |parts: &mut tenantry::api::Parts| {
        parts.streams.heartbeat = Duration::from_millis(100);
    };
    let Some(portal) = Portal::open_with(change, Router::new()).await else { return };
    let acme = portal.customer_of("acme").await;
    let mut stream = portal.client.listen("/events", &acme.access, &[]).await;
    stream.next().await.unwrap();
    for _ in 0..3 {
        assert_eq!(stream.next().await.unwrap().comment, "heartbeat");
    }
    let id = portal.accepted("acme").await;
    assert_eq!(operations(&mut stream, 1).await, [id]);
    assert_eq!(stream.next().await.unwrap().comment, "heartbeat");
}

#[tokio::test]
async fn a_ticket_opens_one_stream_once_and_nothing_else() {
    let Some(portal) = Portal::open().await else { return };
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // While there is only one subscriber, what another test's thread passes for the first time is
    // asked of that thread's own, which is none, and is logged nowhere from then on.
    let _another = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let logging = tracing::subscriber::set_default(subscriber);
    let acme = portal.customer_of("acme").await;
    let id = portal.accepted("acme").await;
    let path = format!("/operations/{id}/events");
    let ticket = portal.ticket(&acme.access).await;
    assert!(ticket.starts_with("tne_"));
    // Elsewhere it is nothing, and stays good.
    for elsewhere in ["/auth/me", "/subscriptions", "/operations", &format!("/operations/{id}")] {
        let answer = portal.get(&format!("{elsewhere}?ticket={ticket}"), "").await;
        assert_eq!(answer.status, 401, "{elsewhere}: {}", answer.text);
        assert_eq!(portal.get(elsewhere, &ticket).await.status, 401);
    }
    let rows = portal.rows("event_ticket").await;
    assert!(rows.len() == 1 && !rows[0].contains(&ticket));
    let mut stream = portal.client.listen(&format!("{path}?ticket={ticket}"), "", &[]).await;
    assert_eq!(operations(&mut stream, 1).await, [id]);
    let again = portal.get(&format!("{path}?ticket={ticket}"), "").await;
    assert_eq!((again.status, again.code()), (401, "token-invalid"));
    assert!(!again.text.contains(&ticket));
    assert_eq!(portal.rows("event_ticket").await, Vec::<String>::new());

    let late = portal.ticket(&acme.access).await;
    portal.wait(SignedDuration::from_secs(30));
    assert_eq!(portal.get(&format!("/events?ticket={late}"), "").await.code(), "token-invalid");
    assert_eq!(portal.get("/events?ticket=tne_nonsense", "").await.code(), "token-invalid");
    // It is as good as the session that it was made in.
    let ended = portal.ticket(&acme.access).await;
    portal.client.send("POST", "/auth/logout", &acme.access, None, &[]).await;
    assert_eq!(portal.get(&format!("/events?ticket={ended}"), "").await.code(), "token-invalid");
    // A machine can send its token, and a ticket shows nothing that is another tenant's.
    let globex = portal.customer_of("globex").await;
    let body = json!({ "name": "m", "scopes": ["read", "write"], "expires_in_days": 1 });
    let machine = portal.post("/auth/tokens", &globex.access, body).await;
    let machine = machine.json["token"].as_str().unwrap();
    let refused = portal.client.send("POST", "/events/tickets", machine, None, &[]).await;
    assert_eq!(refused.code(), "forbidden");
    let foreign = portal.ticket(&globex.access).await;
    assert_eq!(portal.get(&format!("{path}?ticket={foreign}"), "").await.code(), "not-found");

    drop(logging);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let audit = portal.rows("audit").await.concat();
    assert!(log.contains("/operations/{id}/events"), "{log}");
    assert!(audit.contains("events.ticket"), "{audit}");
    for ticket in [ticket, late, ended, foreign] {
        assert!(!log.contains(&ticket) && !audit.contains(&ticket));
    }
}

/// What is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_stream_ends_when_its_listener_may_listen_no_more() {
    let change = |parts: &mut tenantry::api::Parts| {
        parts.streams.look = Duration::from_millis(50);
    };
    let Some(portal) = Portal::open_with(change, Router::new()).await else { return };
    let acme = portal.customer_of("acme").await;
    let operator = portal.staff(Role::Operator).await;
    let body = json!({ "name": "m", "scopes": ["read"], "expires_in_days": 1 });
    let machine = portal.post("/auth/tokens", &acme.access, body).await.json;
    let token = machine["token"].as_str().unwrap();
    let mut of_machine = portal.client.listen("/events", token, &[]).await;
    let mut of_person = portal.client.listen("/events", &acme.access, &[]).await;
    let mut of_operator = portal.client.listen("/events", &operator.access, &[]).await;
    // Longer than an access token is good: who is still logged in still listens.
    portal.wait(SignedDuration::from_mins(11));
    assert!(of_person.is_silent().await && of_machine.is_silent().await);
    let acme = portal.log_in("owner@acme.example").await;
    let id = machine["id"].as_str().unwrap();
    portal.delete(&format!("/auth/tokens/{id}"), &acme.access).await;
    assert_eq!(of_machine.news().await, None);
    sqlx::query("update user_account set tenant = 'globex' where email_key = 'owner@acme.example'")
        .execute(&portal.pool)
        .await
        .unwrap();
    assert_eq!(of_person.news().await, None);
    assert!(of_operator.is_silent().await);
    sqlx::query("update user_account set disabled_at = now() where role = 'operator'")
        .execute(&portal.pool)
        .await
        .unwrap();
    assert_eq!(of_operator.news().await, None);
}

#[tokio::test]
async fn nobody_holds_more_streams_than_are_theirs() {
    let change = |parts: &mut tenantry::api::Parts| parts.streams.most = 2;
    let Some(portal) = Portal::open_with(change, Router::new()).await else { return };
    let acme = portal.customer_of("acme").await;
    let globex = portal.customer_of("globex").await;
    let held = portal.client.listen("/events", &acme.access, &[]).await;
    let _other = portal.client.listen("/events", &acme.access, &[]).await;
    let refused = portal.get("/events", &acme.access).await;
    assert_eq!((refused.status, refused.code()), (429, "quota-exceeded"));
    assert_eq!(refused.header("retry-after"), "3");
    portal.client.listen("/events", &globex.access, &[]).await;
    // Whoever goes leaves a place.
    drop(held);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while portal.get("/events", &acme.access).await.status != 200 {
        assert!(tokio::time::Instant::now() < deadline, "the place is never free");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_portal_that_stops_ends_its_streams() {
    let Some(portal) = Portal::open().await else { return };
    let acme = portal.customer_of("acme").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::at(listener.local_addr().unwrap().to_string());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server::serve(listener, portal.api.router(Router::new()), async {
        stopped.await.unwrap();
    }));
    let mut stream = client.listen("/events", &acme.access, &[]).await;
    stream.next().await.unwrap();
    stop.send(()).unwrap();
    assert_eq!(stream.next().await, None);
    let stopped = tokio::time::timeout(Duration::from_secs(5), serving).await;
    stopped.expect("it waits for a stream").unwrap().unwrap();
}
