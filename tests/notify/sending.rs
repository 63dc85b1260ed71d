//! The postman, the outbox and a mail server.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;
use tenantry::notify::smtp::Sender;
use tenantry::notify::work::Postman;
use tenantry::outbox;
use tenantry::outbox::Kind;
use tenantry::outbox::Mail;
use tenantry::postgres::Database;
use tenantry::postgres::Settings;

use crate::support::mail::house;
use crate::support::post_office::PostOffice;
use crate::support::post_office::Tls;
use crate::support::postgres;

pub(super) fn sender() -> Sender {
    Sender {
        from: "KiteClass <post@kiteclass.example>".into(),
        reply_to: Some("help@kiteclass.example".into()),
    }
}

struct World {
    database: Database,
    office: PostOffice,
    postman: Postman,
    seconds: Arc<AtomicI64>,
}

impl World {
    async fn open() -> Option<Self> {
        Self::with(Tls::Start).await
    }

    async fn with(tls: Tls) -> Option<Self> {
        let url = postgres::database().await?;
        let settings = Settings { database_url: Some(url.parse().unwrap()), ..Settings::default() };
        let database = Database::start(settings).unwrap();
        database.usable().await;
        let office = PostOffice::open(tls).await;
        let seconds = Arc::new(AtomicI64::new(1_795_000_000));
        let clock = Arc::clone(&seconds);
        let postman = Postman {
            database: database.clone(),
            post: office.settings().open().unwrap().unwrap(),
            author: Arc::new(|| None),
            clock: Arc::new(move || Timestamp::from_second(clock.load(Ordering::Relaxed)).unwrap()),
        };
        Some(Self { database, office, postman, seconds })
    }

    fn now(&self) -> Timestamp {
        (self.postman.clock)()
    }

    fn pass(&self, time: SignedDuration) {
        self.seconds.fetch_add(time.as_secs(), Ordering::Relaxed);
    }

    async fn put(&self, to: &str) {
        let values =
            json!({ "name": "An", "token": "hunter2", "expiresAt": "2026-11-21T04:04:05Z" });
        let (template, language) = ("verify".to_owned(), "vi".to_owned());
        let mail = Mail { template, to: to.to_owned(), language, values };
        let mut connection = self.database.pool().acquire().await.unwrap();
        let key = format!("mail:verify:{to}");
        outbox::put(&mut connection, Kind::Mail, &key, &mail, self.now()).await.unwrap();
    }

    async fn work(&self) -> usize {
        self.postman.work(&house(), &sender()).await.unwrap()
    }

    /// Whether it is done, whether it is given up, why, and what is left of it.
    async fn stands(&self, to: &str) -> (bool, bool, String, Value) {
        sqlx::query_as(
            "select done_at is not null, failed_at is not null, coalesce(last_error, ''), payload
             from outbox where key = $1",
        )
        .bind(format!("mail:verify:{to}"))
        .fetch_one(self.database.pool())
        .await
        .unwrap()
    }
}

#[tokio::test]
async fn a_mail_leaves_once_whoever_asks_and_nothing_secret_of_it_stays() {
    let Some(world) = World::open().await else { return };
    world.put("an@acme.example").await;
    world.put("an@acme.example").await;
    let (one, other) = tokio::join!(world.work(), world.work());
    assert_eq!((one + other, world.work().await), (1, 0));
    let mails = world.office.mails();
    assert_eq!(mails.len(), 1);
    for part in [
        "From: KiteClass <post@kiteclass.example>",
        "Reply-To: help@kiteclass.example",
        "To: an@acme.example",
        "Auto-Submitted: auto-generated",
        "Message-ID: <",
        "multipart/alternative",
    ] {
        assert!(mails[0].contains(part), "{part}\n{}", mails[0]);
    }
    let (done, failed, _, payload) = world.stands("an@acme.example").await;
    assert!(done && !failed && !payload.to_string().contains("hunter2"), "{payload}");
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_in_the_end_given_up() {
    let Some(world) = World::open().await else { return };
    world.put("later@acme.example").await;
    let mut tries = 0;
    for _ in 0..400 {
        tries += world.work().await;
        world.pass(SignedDuration::from_mins(15));
    }
    let (done, failed, why, payload) = world.stands("later@acme.example").await;
    assert!(!done && failed && why.contains("450"), "{why}");
    assert!(!payload.to_string().contains("hunter2"), "{payload}");
    // Half a minute, doubled up to hours, for three days.
    assert!((20..80).contains(&tries), "{tries}");
    assert_eq!(world.office.mails().len(), 0);
}

#[tokio::test]
async fn what_can_never_arrive_is_given_up_at_once_and_holds_up_nobody() {
    let Some(world) = World::open().await else { return };
    for to in ["never@acme.example", "no address", "an@acme.example"] {
        world.put(to).await;
    }
    while world.work().await > 0 {}
    for (to, told) in [("never@acme.example", "550"), ("no address", "no address")] {
        let (done, failed, why, _) = world.stands(to).await;
        assert!(!done && failed && why.contains(told), "{why}");
    }
    assert!(world.stands("an@acme.example").await.0);
}

#[tokio::test]
async fn a_server_that_is_busy_hangs_up_or_falls_silent_gets_the_mail_later() {
    let Some(mut world) = World::open().await else { return };
    world.postman.post.patience = Duration::from_millis(300);
    for (to, told) in [
        ("busy@acme.example", "421"),
        ("cut@acme.example", "network error"),
        ("silent@acme.example", "silent"),
    ] {
        world.put(to).await;
        assert_eq!(world.work().await, 1);
        let (done, failed, why, _) = world.stands(to).await;
        assert!(!done && !failed && why.contains(told), "{why}");
        // Not at once.
        assert_eq!(world.work().await, 0);
    }
    assert_eq!(world.office.mails().len(), 0);
}

#[tokio::test]
async fn mail_leaves_over_tls_from_the_first_byte_and_never_in_the_clear() {
    let Some(world) = World::with(Tls::Wrapped).await else { return };
    world.put("an@acme.example").await;
    world.work().await;
    assert_eq!(world.office.mails().len(), 1);

    // Whoever takes out on the way that the server speaks TLS gets nothing.
    let Some(world) = World::with(Tls::Withheld).await else { return };
    world.put("an@acme.example").await;
    world.work().await;
    let (done, failed, why, _) = world.stands("an@acme.example").await;
    assert!(!done && !failed && why.contains("STARTTLS"), "{why}");
    assert_eq!(world.office.mails().len(), 0);
}

#[tokio::test]
async fn whoever_stops_sends_what_is_on_its_way_and_begins_nothing_more() {
    let Some(mut world) = World::open().await else { return };
    world.postman.author = Arc::new(|| Some((house(), sender())));
    world.put("silent@acme.example").await;
    world.postman.post.patience = Duration::from_secs(1);
    let sending = world.postman.clone().start();
    let begun = async || -> i64 {
        sqlx::query_scalar("select count(*) from outbox where attempts > 0")
            .fetch_one(world.database.pool())
            .await
            .unwrap()
    };
    while begun().await == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.put("an@acme.example").await;
    sending.stop().await;
    // What became of it is written down, and it need not wait for the end of a lease.
    assert!(world.stands("silent@acme.example").await.2.contains("silent"));
    assert_eq!((begun().await, world.office.mails().len()), (1, 0));
}

#[tokio::test]
async fn nothing_leaves_before_the_platform_says_who_writes() {
    let Some(world) = World::open().await else { return };
    world.put("an@acme.example").await;
    let sending = world.postman.clone().start();
    tokio::time::sleep(Duration::from_millis(300)).await;
    sending.stop().await;
    assert!(!world.stands("an@acme.example").await.0 && world.office.mails().is_empty());
}

/// The window that nobody can close: the server has it and could not say so.
#[tokio::test]
async fn a_mail_that_a_server_took_in_silence_comes_again_under_the_same_id() {
    let Some(world) = World::open().await else { return };
    world.put("gone@acme.example").await;
    world.work().await;
    world.pass(SignedDuration::from_mins(10));
    world.work().await;
    let id = |mail: &String| {
        mail.lines().find(|line| line.starts_with("Message-ID:")).unwrap().to_owned()
    };
    let ids: Vec<String> = world.office.mails().iter().map(id).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn whoever_dies_while_sending_is_followed_by_another() {
    let Some(world) = World::open().await else { return };
    world.put("an@acme.example").await;
    let now = world.now();
    let until = now + SignedDuration::from_mins(5);
    let dead = outbox::lease(world.database.pool(), Kind::Mail, 4, now, until).await.unwrap();
    assert_eq!((dead.len(), world.work().await), (1, 0));
    world.pass(SignedDuration::from_mins(6));
    assert_eq!(world.work().await, 1);
    // Who was dead comes back and has no say any more.
    let mut connection = world.database.pool().acquire().await.unwrap();
    assert!(!outbox::sent(&mut connection, &dead[0], world.now()).await.unwrap());
    assert_eq!(world.office.mails().len(), 1);
}
