//! Review: what the platform wants people to look at is a branch of its own. Here it is found out what
//! they made of it: it is merged, however they did that, and goes on like every commit; or its branch
//! is gone, and it is cancelled. Whatever they do to the branch itself is theirs.

use jiff::Timestamp;
use sqlx::PgConnection;
use sqlx::PgPool;

use super::OperationError;
use super::operation;
use super::operation::Operation;
use super::operation::State;
use super::settle;
use super::settle::Ending;
use crate::edits::Editor;
use crate::edits::Reviewed;

/// How many are looked at in one go.
const AT_ONCE: i64 = 500;

const WAITS: &str = "it waits for review";
const DECLINED: &str =
    "it was reviewed and not accepted: its branch was deleted without being merged";

/// A locked operation waits for review from now on.
pub(super) async fn begin(
    db: &mut PgConnection,
    operation: &Operation,
    now: Timestamp,
) -> Result<(), OperationError> {
    operation::enter(db, operation, State::Proposed, Some(WAITS), now).await
}

/// Looks at everything that waits for review. Says how many wait no more.
pub async fn work(pool: &PgPool, editor: &Editor, now: Timestamp) -> Result<usize, OperationError> {
    let waiting = operation::proposed(&mut *pool.acquire().await?, AT_ONCE).await?;
    let mut moved = 0;
    for operation in waiting {
        let id = operation.id;
        match editor.review(id.into()).await {
            Ok(Reviewed::Waits) => {}
            Ok(reviewed) => moved += usize::from(conclude(pool, &operation, reviewed, now).await?),
            Err(error) if error.is_passing() => return Err(error.into()),
            // One that cannot be looked at keeps nobody else.
            Err(error) => {
                tracing::error!("what became of the review of {id} is not known: {error}");
            }
        }
    }
    Ok(moved)
}

/// Writes down what came of a review, unless somebody else has meanwhile.
async fn conclude(
    pool: &PgPool,
    operation: &Operation,
    reviewed: Reviewed,
    now: Timestamp,
) -> Result<bool, OperationError> {
    let mut transaction = pool.begin().await?;
    let operation = operation::locked(&mut transaction, operation.id).await?;
    if operation.state != State::Proposed {
        return Ok(false);
    }
    match reviewed {
        Reviewed::Waits => return Ok(false),
        Reviewed::Merged(commit) => {
            operation::committed(&mut transaction, &operation, &commit, now).await?;
        }
        Reviewed::Gone => {
            settle::give_up(&mut transaction, &operation, Ending::Cancelled(DECLINED), now).await?;
        }
    }
    transaction.commit().await?;
    Ok(true)
}
