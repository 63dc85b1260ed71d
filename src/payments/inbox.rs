//! What providers send: written down as it came, each event once, before anything is made of it.
//! Whoever works at it has a lease; that it is done and what it did are written together.
//!
//! What is not believed is written down, too, under a name of its own: nobody can take the place
//! of a genuine event with a forged one.

use http::HeaderMap;
use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::json;
use sqlx::types::Json;
use uuid::Uuid;

use super::Payments;
use super::error::PaymentError;
use super::payment;
use super::provider::Call;
use super::provider::Refusal;
use super::report::Message;
use super::report::Report;
use super::settle::Told;
use super::settle::Verdict;
use super::settle::settle;
use crate::model::Digest;
use crate::model::platform::PaymentProvider;
use crate::postgres::stamp;

/// How long somebody may work at an event before somebody else does.
const LEASE: SignedDuration = SignedDuration::from_mins(2);
/// How long what was refused is kept, and how much of it.
const REFUSED_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
const REFUSED_BYTES: usize = 4 << 10;
/// So many forged ones an hour are written down; the log counts the rest.
const MOST_REFUSED: i64 = 500;
const FIRST_RETRY: SignedDuration = SignedDuration::from_secs(20);
const LONGEST_RETRY: SignedDuration = SignedDuration::from_hours(1);
/// The headers that matter.
const HEADERS: [&str; 3] = ["content-type", "stripe-signature", "user-agent"];

/// What became of a notification at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reception {
    /// It is written down, and will take effect.
    Taken,
    /// It was written down before.
    Again,
}

/// Why a notification was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Payment(#[from] PaymentError),
}

/// An event that somebody works at.
struct Leased {
    id: Uuid,
    provider: PaymentProvider,
    raw: Vec<u8>,
    received_at: Timestamp,
    attempts: i32,
}

type Row = (Uuid, String, Vec<u8>, jiff_sqlx::Timestamp, i32);

impl Payments {
    /// Takes what came through a webhook: verified, written down, and no more.
    pub async fn receive(
        &self,
        provider: PaymentProvider,
        headers: &HeaderMap,
        raw: &[u8],
        now: Timestamp,
    ) -> Result<Reception, NotTaken> {
        let gateway = self.gateway(provider)?;
        let key = match gateway.hear(Call { headers, raw }, now) {
            Ok(key) => key,
            Err(refusal) => {
                self.write_refused(provider, headers, raw, &refusal.to_string(), now).await?;
                return Err(refusal.into());
            }
        };
        let written = sqlx::query(
            "insert into payment_inbox (id, provider, event_key, raw, headers, received_at, due_at)
             values ($1, $2, $3, $4, $5, $6, $6) on conflict (provider, event_key) do nothing",
        )
        .bind(Uuid::now_v7())
        .bind(provider.word())
        .bind(key)
        .bind(raw)
        .bind(Json(kept(headers)))
        .bind(stamp(now))
        .execute(self.pool()?)
        .await
        .map_err(PaymentError::from)?;
        self.inner.arrived.notify_one();
        Ok(if written.rows_affected() == 1 { Reception::Taken } else { Reception::Again })
    }

    /// Writes down what is not believed, as far as there is room for it.
    pub(super) async fn write_refused(
        &self,
        provider: PaymentProvider,
        headers: &HeaderMap,
        raw: &[u8],
        why: &str,
        now: Timestamp,
    ) -> Result<(), PaymentError> {
        tracing::warn!(provider = provider.word(), why, "a notification was refused");
        let key = format!("refused:{}", Digest::of(raw));
        sqlx::query(
            "insert into payment_inbox
                 (id, provider, event_key, raw, headers, received_at, due_at, verdict, why, done_at)
             select $1, $2, $3, $4, $5, $6, $6, 'refused', $7, $6
             where (select count(*) from payment_inbox
                    where received_at > $8 and starts_with(event_key, 'refused:')) < $9
             on conflict (provider, event_key) do nothing",
        )
        .bind(Uuid::now_v7())
        .bind(provider.word())
        .bind(key)
        .bind(&raw[..raw.len().min(REFUSED_BYTES)])
        .bind(Json(kept(headers)))
        .bind(stamp(now))
        .bind(why)
        .bind(stamp(now - SignedDuration::from_hours(1)))
        .bind(MOST_REFUSED)
        .execute(self.pool()?)
        .await?;
        Ok(())
    }

    /// Lets the next event take effect; says what came of it, or that there is none.
    pub async fn work(&self, now: Timestamp) -> Result<Option<Verdict>, PaymentError> {
        let worker = Uuid::now_v7();
        let Some(event) = self.lease(worker, now).await? else { return Ok(None) };
        match self.take_effect(&event, worker, now).await {
            Ok(verdict) => Ok(Some(verdict)),
            Err(error) if error.is_passing() => {
                self.put_off(&event, worker, &error.to_string(), now).await?;
                Err(error)
            }
            // It will not get better by itself: it stands there, refused, for somebody to look at.
            Err(error) => {
                tracing::error!("an event of {} has no effect: {error}", event.provider.word());
                let verdict = Verdict::Refused(error.to_string());
                let mut transaction = self.transaction().await?;
                conclude(&mut transaction, &event, worker, &verdict, None, now).await?;
                transaction.commit().await?;
                Ok(Some(verdict))
            }
        }
    }

    async fn lease(&self, worker: Uuid, now: Timestamp) -> Result<Option<Leased>, PaymentError> {
        let row: Option<Row> = sqlx::query_as(
            "update payment_inbox set leased_by = $1, leased_until = $3, attempts = attempts + 1
             where id = (
                 select id from payment_inbox
                 where done_at is null and due_at <= $2 and (leased_until is null or leased_until <= $2)
                 order by due_at, id limit 1 for update skip locked
             )
             returning id, provider, raw, received_at, attempts",
        )
        .bind(worker)
        .bind(stamp(now))
        .bind(stamp(now + LEASE))
        .fetch_optional(self.pool()?)
        .await?;
        let Some((id, provider, raw, received_at, attempts)) = row else { return Ok(None) };
        let provider = PaymentProvider::ALL
            .into_iter()
            .find(|known| known.word() == provider)
            .ok_or(PaymentError::Unreadable(provider))?;
        Ok(Some(Leased { id, provider, raw, received_at: received_at.to_jiff(), attempts }))
    }

    async fn take_effect(
        &self,
        event: &Leased,
        worker: Uuid,
        now: Timestamp,
    ) -> Result<Verdict, PaymentError> {
        let gateway = self.gateway(event.provider)?;
        // What has to be asked is asked before the transaction begins.
        let said: Result<Report, Verdict> = match gateway.read(&event.raw) {
            Message::Proof(report) => Ok(report),
            Message::Nothing(why) => Err(Verdict::Ignored(why)),
            Message::Refused(why) => Err(Verdict::Refused(why)),
            Message::Hint(id) => match self.find(id).await {
                Ok(payment) if payment.provider == event.provider => {
                    Ok(gateway.ask(&payment, now).await?)
                }
                Ok(_) => Err(Verdict::Refused("another provider has this payment".to_owned())),
                Err(PaymentError::Missing(_)) => {
                    Err(Verdict::Refused(format!("there is no payment {id}")))
                }
                Err(error) => return Err(error),
            },
        };
        let mut transaction = self.transaction().await?;
        let told =
            Told { provider: event.provider, arrived: event.received_at, now, actor: "system" };
        let (verdict, payment) = match said {
            Ok(report) => settle(&mut transaction, &report, told).await?,
            Err(verdict) => (verdict, None),
        };
        let payment = match payment {
            // Only what is there can be pointed at.
            Some(id) if payment::find(&mut transaction, id).await.is_ok() => Some(id),
            _ => None,
        };
        conclude(&mut transaction, event, worker, &verdict, payment, now).await?;
        transaction.commit().await?;
        if let Verdict::Refused(why) = &verdict {
            tracing::warn!(provider = event.provider.word(), why, "an event has no effect");
        }
        Ok(verdict)
    }

    /// Lets an event go until later; the wait doubles.
    async fn put_off(
        &self,
        event: &Leased,
        worker: Uuid,
        why: &str,
        now: Timestamp,
    ) -> Result<(), PaymentError> {
        let doublings = u32::try_from(event.attempts.clamp(1, 12) - 1).unwrap_or(0);
        let wait = (FIRST_RETRY * 2_i32.pow(doublings)).min(LONGEST_RETRY);
        sqlx::query(
            "update payment_inbox set leased_by = null, leased_until = null, due_at = $3, last_error = $4
             where id = $1 and leased_by = $2",
        )
        .bind(event.id)
        .bind(worker)
        .bind(stamp(now + wait))
        .bind(why)
        .execute(self.pool()?)
        .await?;
        Ok(())
    }

    /// Forgets what was refused long ago.
    pub async fn clean(&self, now: Timestamp) -> Result<u64, PaymentError> {
        let gone = sqlx::query(
            "delete from payment_inbox where starts_with(event_key, 'refused:') and received_at <= $1",
        )
        .bind(stamp(now - REFUSED_KEPT))
        .execute(self.pool()?)
        .await?;
        Ok(gone.rows_affected())
    }
}

/// Writes that an event is done, in the transaction of its effect. Whoever lost the lease meanwhile
/// has no effect.
async fn conclude(
    db: &mut sqlx::PgConnection,
    event: &Leased,
    worker: Uuid,
    verdict: &Verdict,
    payment: Option<Uuid>,
    now: Timestamp,
) -> Result<(), PaymentError> {
    let done = sqlx::query(
        "update payment_inbox set verdict = $3, why = $4, payment_id = $5, done_at = $6,
             leased_by = null, leased_until = null
         where id = $1 and leased_by = $2 and done_at is null",
    )
    .bind(event.id)
    .bind(worker)
    .bind(verdict.word())
    .bind(verdict.why())
    .bind(payment)
    .bind(stamp(now))
    .execute(db)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(PaymentError::Away) }
}

fn kept(headers: &HeaderMap) -> serde_json::Value {
    let kept = HEADERS.into_iter().filter_map(|name| {
        let value = headers.get(name)?.to_str().ok()?;
        Some((name.to_owned(), json!(value)))
    });
    serde_json::Value::Object(kept.collect())
}
