//! The commit worker: takes what was accepted out of the outbox, commits it, and writes down which
//! commit it became. Killed anywhere it does so again, and the trailer of the commit says that it is
//! done already.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use super::OperationError;
use super::operation;
use super::operation::Operation;
use super::operation::State;
use super::order;
use super::refusal;
use super::review;
use super::settle;
use super::settle::Ending;
use crate::edits::Committed;
use crate::edits::Delivery;
use crate::edits::Edit;
use crate::edits::EditError;
use crate::edits::Editor;
use crate::outbox;
use crate::outbox::Kind;
use crate::outbox::Leased;
use crate::source::commits::Person;

/// How long a commit may take before somebody else may try; whose does not matter to the trailer.
const LEASE: SignedDuration = SignedDuration::from_secs(20);
/// How many are under way at once: as many as go with one push.
const AT_ONCE: usize = 128;
/// How long it waits after a failure that may pass; each further one doubles it.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(5);

/// What the outbox says of a commit.
#[derive(Deserialize)]
struct Asked {
    operation: Uuid,
}

/// Commits everything that is due, and says how much of it there was.
pub async fn work(pool: &PgPool, editor: &Editor, now: Timestamp) -> Result<usize, OperationError> {
    let at_most = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
    let leased = outbox::lease(pool, Kind::Commit, at_most, now, now + LEASE).await?;
    let many = leased.len();
    let committing = stream::iter(leased).map(|leased| async move {
        if let Err(error) = one(pool, editor, &leased, now).await {
            let why = error.to_string();
            let due = now + wait(leased.attempts);
            // Where even this fails, the lease ends by itself.
            if let Err(error) = outbox::put_off(pool, &leased, due, &why).await {
                tracing::warn!("{} could not be put off: {error}", leased.key);
            }
            if error.is_passing() {
                tracing::info!("{} is tried again at {due}: {why}", leased.key);
            } else {
                tracing::error!("{} is tried again at {due}: {why}", leased.key);
            }
        }
    });
    committing.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    Ok(many)
}

fn wait(attempts: u32) -> SignedDuration {
    let doublings = attempts.saturating_sub(1).min(16);
    (FIRST_WAIT * (1 << doublings)).min(LONGEST_WAIT)
}

/// One commit, and what follows from how it ended. An error means that it is to be tried again.
async fn one(
    pool: &PgPool,
    editor: &Editor,
    leased: &Leased,
    now: Timestamp,
) -> Result<(), OperationError> {
    let Ok(Asked { operation: id }) = serde_json::from_value(leased.payload.clone()) else {
        return Err(OperationError::Conflict(format!("{} names no operation", leased.key)));
    };
    let operation = operation::find(&mut *pool.acquire().await?, id).await?;
    if operation.state != State::Accepted {
        return conclude(pool, leased, id, None, now).await;
    }
    let hold = match operation.order {
        Some(order) => order::find(&mut *pool.acquire().await?, order).await?.hold,
        None => None,
    };
    let outcome = match editor.commit(edit(&operation, hold)).await {
        Ok(committed) => Ok(committed),
        Err(refused @ (EditError::Refused(_) | EditError::Breaks { .. })) => {
            tracing::warn!("the operation {id} is refused: {refused}");
            Err(refusal::in_words(&refused, &operation.intent.tenant))
        }
        Err(error) => return Err(error.into()),
    };
    conclude(pool, leased, id, Some(outcome), now).await
}

/// Writes down how it ended, unless somebody else has taken it meanwhile.
async fn conclude(
    pool: &PgPool,
    leased: &Leased,
    id: Uuid,
    outcome: Option<Result<Committed, String>>,
    now: Timestamp,
) -> Result<(), OperationError> {
    let mut transaction = pool.begin().await?;
    let operation = operation::locked(&mut transaction, id).await?;
    let result = match &outcome {
        Some(Ok(committed)) => json!({ "commit": committed.commit }),
        Some(Err(why)) => json!({ "refused": why }),
        None => json!({ "state": operation.state }),
    };
    if !outbox::done(&mut transaction, leased, &result, now).await? {
        return Ok(());
    }
    if operation.state == State::Accepted {
        match outcome {
            Some(Ok(committed)) if committed.waits_for_review => {
                review::begin(&mut transaction, &operation, now).await?;
            }
            Some(Ok(Committed { commit, .. })) => {
                operation::committed(&mut transaction, &operation, &commit, now).await?;
            }
            Some(Err(why)) => {
                settle::give_up(&mut transaction, &operation, Ending::Failed(&why), now).await?;
            }
            None => {}
        }
    }
    transaction.commit().await?;
    Ok(())
}

/// The edit that an operation asks for: by whoever asked, and with what joins it to the rest.
fn edit(operation: &Operation, hold: Option<Uuid>) -> Edit {
    let intent = &operation.intent;
    let (tenant, change, asker) = (intent.tenant.clone(), intent.change.clone(), &intent.asker);
    let mut trailers = vec![
        ("Request-Id".to_owned(), asker.request_id.clone()),
        ("Actor".to_owned(), asker.actor()),
    ];
    let more = [("Order", operation.order), ("Hold", hold), ("Follows", operation.cause)];
    let more = more.into_iter().filter_map(|(name, id)| Some((name.to_owned(), id?.to_string())));
    trailers.extend(more);
    Edit {
        intent: operation.id.into(),
        author: Person { name: asker.author.clone(), email: asker.email.clone() },
        at: operation.created_at,
        tenant: Some(tenant.clone()),
        subject: change.subject(&tenant),
        body: String::new(),
        trailers,
        delivery: Delivery::AsPlatformSays(change.kind()),
        change: Arc::new(move |draft| change.make(draft, &tenant)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_again_and_again_waits_longer_but_not_for_ever() {
        assert_eq!(
            [1, 2, 3, 9, 10, 1000].map(|attempts| wait(attempts).as_secs()),
            [1, 2, 4, 256, 300, 300]
        );
    }
}
