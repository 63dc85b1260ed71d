//! The desk: the one way by which a route changes something. What is asked for is checked as its
//! commit would be, accepted with its line of audit in one transaction, and answered with an
//! operation to follow.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header;
use jiff::Timestamp;
use serde_json::json;
use sqlx::PgConnection;
use tokio::sync::Notify;
use uuid::Uuid;

use super::Api;
use super::catalog::View;
use super::etag::ETag;
use super::extract::Context;
use super::problem;
use super::problem::Problem;
use crate::accounts::Principal;
use crate::accounts::Role;
use crate::accounts::audit::Act;
use crate::accounts::audit::Actor;
use crate::edits::EditError;
use crate::edits::Editor;
use crate::model::Name;
use crate::operations::Asker;
use crate::operations::Change;
use crate::operations::Intent;
use crate::operations::Operation;
use crate::operations::operation;
use crate::operations::operation::New;
use crate::operations::refusal::reasons;

/// What commits changes. Clones are the same.
#[derive(Clone, Debug)]
pub struct Desk {
    editor: Editor,
    accepted: Arc<Notify>,
}

impl Desk {
    pub fn new(editor: Editor) -> Self {
        Self { editor, accepted: Arc::default() }
    }

    pub fn editor(&self) -> &Editor {
        &self.editor
    }

    /// Is told whenever something was accepted.
    pub fn accepted(&self) -> Arc<Notify> {
        Arc::clone(&self.accepted)
    }

    /// Has what was accepted committed at once.
    pub fn tell(&self) {
        self.accepted.notify_one();
    }

    /// Refuses what validation would refuse.
    pub async fn check(&self, tenant: &Name, change: &Change) -> Result<(), Problem> {
        let (of, change) = (tenant.clone(), change.clone());
        let make = Arc::new(move |draft: &mut crate::edits::Draft<'_>| change.make(draft, &of));
        let checked = self.editor.check(Some(tenant.clone()), make).await;
        checked.map_err(|error| match error {
            EditError::Breaks { findings } => reasons(&findings, tenant).into_iter().fold(
                Problem::new(problem::REFUSED, "validation would refuse the commit"),
                |problem, reason| problem.with(reason.rule, reason.message, reason.help),
            ),
            error => error.into(),
        })
    }
}

/// What is asked for.
pub struct Ask<'a> {
    pub principal: &'a Principal,
    pub tenant: &'a Name,
    pub change: Change,
    /// What takes it back where it fails after its commit.
    pub undo: Option<Change>,
    /// What follows where it succeeds.
    pub follow_up: Option<Change>,
    /// Not committed before this time; at once where absent.
    pub due: Option<Timestamp>,
    /// The file that whoever asks has to have seen, as `If-Match` says.
    pub seen: Option<&'a str>,
}

impl<'a> Ask<'a> {
    /// Something that is done at once, and stays where it is if it fails.
    pub fn now(principal: &'a Principal, tenant: &'a Name, change: Change) -> Self {
        Self { principal, tenant, change, undo: None, follow_up: None, due: None, seen: None }
    }

    /// The same for whoever has seen this file.
    #[must_use]
    pub fn seen(self, file: &'a str) -> Self {
        Self { seen: Some(file), ..self }
    }
}

/// Who asks, as the commit and the ledger name them.
pub async fn asker(api: &Api, context: &Context, principal: &Principal) -> Result<Asker, Problem> {
    let person = api.accounts().person(principal.account).await?;
    let role = principal.standing.role();
    // A customer's commits are in the name of the organisation: Git forgets no person's name.
    let by_name = role != Role::Customer || person.organisation.is_empty();
    Ok(Asker {
        account: Some(principal.account),
        role: Some(role),
        author: if by_name { person.name } else { person.organisation },
        email: person.email,
        request_id: context.origin.request_id.clone(),
    })
}

/// Takes a change: checks it, accepts it, and has it committed.
pub async fn take(
    api: &Api,
    context: &Context,
    view: &View,
    headers: &HeaderMap,
    ask: Ask<'_>,
) -> Result<Operation, Problem> {
    let desk = api.desk()?;
    if let Some(file) = ask.seen {
        require_seen(view, file, headers)?;
    }
    desk.check(ask.tenant, &ask.change).await?;
    let intent = Intent {
        tenant: ask.tenant.clone(),
        change: ask.change,
        undo: ask.undo,
        follow_up: ask.follow_up,
        asker: asker(api, context, ask.principal).await?,
    };
    let mut transaction = api.accounts().begin().await?;
    if let Some(file) = ask.seen {
        let subscription = intent.change.subscription();
        let db = &mut transaction;
        require_settled(db, view, file, headers, (ask.tenant, subscription), context.now).await?;
    }
    let due = ask.due.unwrap_or(context.now);
    let new = New { id: Uuid::now_v7(), intent: &intent, order: None, cause: None, due };
    let operation = operation::accept(&mut transaction, new, context.now).await?;
    let detail = json!({ "kind": operation.kind, "tenant": ask.tenant });
    let act = Act::done("operation.accept", format!("operation {}", operation.id)).with(detail);
    let actor = Actor::Principal(ask.principal);
    api.accounts().conclude(transaction, &actor, &act, &context.origin, context.now).await?;
    desk.tell();
    Ok(operation)
}

/// Refuses who has not seen a file as it is.
pub fn require_seen(view: &View, file: &str, headers: &HeaderMap) -> Result<(), Problem> {
    let tag = view.digest(file).map(ETag).ok_or(problem::NOT_FOUND)?;
    tag.require(headers)
}

/// Refuses who cannot have seen what was accepted a moment ago and is not read yet, unless they
/// say that it is all the same to them, by `If-Match: *`. Others who ask wait until the caller's
/// transaction is over.
pub async fn require_settled(
    db: &mut PgConnection,
    view: &View,
    file: &str,
    headers: &HeaderMap,
    (tenant, subscription): (&Name, Option<&Name>),
    now: Timestamp,
) -> Result<(), Problem> {
    let what = format!("{tenant}/{}", subscription.map_or("", Name::as_str));
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, 7236428203))")
        .bind(what)
        .execute(&mut *db)
        .await
        .map_err(crate::operations::OperationError::from)?;
    if headers.get(header::IF_MATCH).is_some_and(|value| value == "*") {
        return Ok(());
    }
    let Some(other) = operation::unseen(db, tenant, subscription, now).await? else {
        return Ok(());
    };
    let tag = view.digest(file).map(|digest| ETag(digest).to_string()).unwrap_or_default();
    let detail =
        format!("the operation {other} is changing it: wait until that is done, and read it again");
    Err(Problem::new(problem::STALE, detail).etag(tag))
}
