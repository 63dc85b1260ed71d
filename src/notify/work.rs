//! The postman: takes mails out of the outbox, sends them, and writes down what became of each.
//!
//! Each is sent once. One window cannot be closed by anybody: whoever is killed, or loses the server
//! or the database, after the server has taken a mail and before that is written down, sends it again
//! when its lease is over, under the same `Message-ID`, by which servers and people tell a repetition.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::House;
use super::Own;
use super::Post;
use super::smtp::Sender;
use super::smtp::Undelivered;
use crate::model::Platform;
use crate::model::PortalUrl;
use crate::outbox;
use crate::outbox::Kind;
use crate::outbox::Leased;
use crate::outbox::Mail;
use crate::postgres::Database;

/// How long sending may take before somebody else may try: half as long again as a server is waited for.
const LEASE: SignedDuration = SignedDuration::from_secs(90);
const LOOK: Duration = Duration::from_secs(1);
/// How long it waits after a failure that may pass; each further one doubles it.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(30);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(2);
/// How long a mail that is on its way may take when we stop.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long it is tried.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(72);

/// Who writes, by the newest `Platform` document; none before there is one that says so.
pub type Author = Arc<dyn Fn() -> Option<(House, Sender)> + Send + Sync>;

/// What the postman works with.
#[derive(Clone)]
pub struct Postman {
    pub database: Database,
    pub post: Post,
    pub author: Author,
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// Who writes, as a document says it, and in which words; none where it names no sender.
pub fn author(platform: &Platform, portal: &PortalUrl, own: Arc<Own>) -> Option<(House, Sender)> {
    let mail = platform.mail.as_ref()?;
    let house = House {
        platform: platform.domain.clone(),
        portal: portal.to_string(),
        support: platform.support.as_ref().map_or_else(|| mail.from.clone(), |to| to.email.clone()),
        zone: platform.zone().unwrap_or(TimeZone::UTC),
        own,
    };
    Some((house, Sender { from: mail.from.clone(), reply_to: mail.reply_to.clone() }))
}

/// A postman at work.
#[derive(Debug)]
pub struct Sending {
    stop: watch::Sender<bool>,
    work: JoinHandle<()>,
}

impl Sending {
    /// Ends once the mail that is on its way is there, or it has taken too long.
    pub async fn stop(mut self) {
        // It may have ended already.
        let _ = self.stop.send(true);
        if tokio::time::timeout(FAREWELL, &mut self.work).await.is_err() {
            self.work.abort();
        }
    }
}

impl Postman {
    /// Starts to work, until it is stopped.
    pub fn start(self) -> Sending {
        let (stop, mut stopped) = watch::channel(false);
        let work = tokio::spawn(async move {
            let mut nobody = false;
            while !*stopped.borrow() {
                let more = tokio::select! {
                    // A mail that is on its way arrives first: this is looked at between two.
                    () = self.database.usable() => self.next(&mut nobody).await,
                    _ = stopped.changed() => return,
                };
                if !more && tokio::time::timeout(LOOK, stopped.changed()).await.is_ok() {
                    return;
                }
            }
        });
        Sending { stop, work }
    }

    /// Sends one, and says whether there was one. Whether nobody may write is told once.
    async fn next(&self, nobody: &mut bool) -> bool {
        let Some((house, sender)) = (self.author)() else {
            if !std::mem::replace(nobody, true) {
                tracing::warn!("mails wait: the `Platform` document says no `mail.from`");
            }
            return false;
        };
        *nobody = false;
        match self.work(&house, &sender).await {
            Ok(sent) => sent > 0,
            Err(error) => {
                self.database.doubt(&error);
                tracing::warn!("mails wait: {error}");
                false
            }
        }
    }

    /// Sends the one that is due first, and says how many there were. It takes no second one along,
    /// which would have to wait for the first.
    pub async fn work(&self, house: &House, sender: &Sender) -> Result<usize, sqlx::Error> {
        let (pool, now) = (self.database.pool(), (self.clock)());
        let leased = outbox::lease(pool, Kind::Mail, 1, now, now + LEASE).await?;
        for mail in &leased {
            self.one(pool, mail, house, sender).await?;
        }
        Ok(leased.len())
    }

    async fn one(
        &self,
        pool: &PgPool,
        leased: &Leased,
        house: &House,
        sender: &Sender,
    ) -> Result<(), sqlx::Error> {
        let sent = match serde_json::from_value::<Mail>(leased.payload.clone()) {
            Ok(mail) => match house.write(&mail) {
                Ok(letter) => {
                    let written = leased.created_at;
                    self.post.send(sender, &mail.to, &letter, leased.id, written).await
                }
                Err(error) => {
                    // The templates may be right after an update.
                    tracing::error!("{}: {error}", leased.key);
                    Err(Undelivered::Later(error.to_string()))
                }
            },
            Err(_) => Err(Undelivered::Never("the outbox holds no mail there".to_owned())),
        };
        let now = (self.clock)();
        match sent {
            Ok(()) => {
                outbox::sent(&mut *pool.acquire().await?, leased, now).await?;
            }
            Err(Undelivered::Later(why))
                if now.duration_since(leased.created_at) < GIVE_UP_AFTER =>
            {
                let due = now + wait(leased);
                tracing::info!("{} is sent again at {due}: {why}", leased.key);
                outbox::put_off(pool, leased, due, &why).await?;
            }
            Err(error) => {
                tracing::error!("{} is given up: {error}", leased.key);
                outbox::give_up(pool, leased, &error.to_string(), now).await?;
            }
        }
        Ok(())
    }
}

/// Doubled each time, and up to a quarter longer: by the mail, so that those that failed together do
/// not come back together.
fn wait(leased: &Leased) -> SignedDuration {
    let doublings = leased.attempts.saturating_sub(1).min(16);
    let wait = (FIRST_WAIT * (1 << doublings)).min(LONGEST_WAIT);
    let spread = i64::from(leased.id.as_bytes()[15]);
    wait + SignedDuration::from_millis(wait.as_secs().saturating_mul(spread))
}
