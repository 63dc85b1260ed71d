//! Whether an instance was found well, for operators: by the checks that follow each change, and by
//! those that a task asked for. It comes from history; nothing is asked of a cluster.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::instances::Span;
use super::instances::named;
use super::instances::spans;
use crate::api::Api;
use crate::api::body::Segment;
use crate::api::catalog::View;
use crate::api::extract::Context;
use crate::api::extract::Operator;
use crate::api::problem::Problem;
use crate::history::record::TaskOutcome;
use crate::history::record::TaskState;
use crate::model::Name;
use crate::model::SubscriptionId;
use crate::model::Task;
use crate::model::resource::Stage;
use crate::model::task::Action;
use crate::operations::Change;
use crate::operations::OperationError;
use crate::operations::operation;

/// How many tasks are shown at most, of those that the portal was asked for.
const MOST_TASKS: i64 = 100;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(verification))
}

/// How a check stands that a task asked for.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CheckState)]
enum CheckState {
    /// It has not begun yet.
    Waiting,
    Running,
    Passed,
    Failed,
    /// It could not begin in time, and does not any more.
    NeverBegan,
}

/// A check that a task asked for.
#[derive(Serialize, ToSchema)]
struct Check {
    /// The name of the task.
    #[schema(value_type = String)]
    task: Name,
    asked_at: Timestamp,
    state: CheckState,
    /// Why it failed, or did not begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When it came to stand so, where it has begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
}

impl Check {
    fn of(asked: Asked, outcome: Option<&TaskOutcome>, now: Timestamp) -> Self {
        let Asked { task, name, given_up } = asked;
        let (state, reason) = match outcome {
            Some(outcome) => match outcome.state {
                TaskState::Running => (CheckState::Running, None),
                TaskState::Done => (CheckState::Passed, None),
                TaskState::Failed => (CheckState::Failed, outcome.message.clone()),
            },
            None if given_up.is_some() || now >= task.begins_before() => {
                (CheckState::NeverBegan, given_up)
            }
            None => (CheckState::Waiting, None),
        };
        let at = outcome.map(|outcome| outcome.at);
        Self { task: name, asked_at: task.asked, state, reason, at }
    }

    /// Whether it passed, and when; none while it has not ended.
    fn verdict(&self) -> Option<(Timestamp, bool)> {
        let ended = matches!(self.state, CheckState::Passed | CheckState::Failed);
        Some((self.at.filter(|_| ended)?, self.state == CheckState::Passed))
    }
}

/// What the checks of an instance came to.
#[derive(Serialize, ToSchema)]
struct Verification {
    /// Whether the last check passed, whoever asked for it; absent where none was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<bool>,
    /// The checks that follow each change, newest first.
    checks: Vec<Span>,
    /// The checks that tasks asked for, newest first.
    tasks: Vec<Check>,
}

/// A task that asks for a check.
struct Asked {
    name: Name,
    task: Task,
    /// Why nobody waits for it any more, where its operation is over without it.
    given_up: Option<String>,
}

/// Everybody who asked for a check of an instance, newest first: by the portal at any time, and by
/// a document that is still there.
async fn asked(api: &Api, view: &View, id: &SubscriptionId) -> Result<Vec<Asked>, Problem> {
    let mut db = api.accounts().pool()?.acquire().await.map_err(OperationError::from)?;
    let operations = operation::tasks(&mut db, id, Action::Verify, MOST_TASKS).await?;
    let mut found: BTreeMap<Name, Asked> = BTreeMap::new();
    for operation in operations {
        let over =
            matches!(operation.state, operation::State::Failed | operation::State::Cancelled);
        let Change::Task { name, task } = operation.intent.change else { continue };
        let given_up = operation.message.filter(|_| over);
        found.insert(name.clone(), Asked { name, task: *task, given_up });
    }
    let here = view.configuration.tasks.values().filter(|task| {
        let spec = &task.spec;
        spec.action == Action::Verify
            && (&spec.tenant, &spec.subscription) == (&id.tenant, &id.name)
    });
    for document in here {
        let (name, task) = (document.name.clone(), document.spec.clone());
        found.entry(name.clone()).or_insert(Asked { name, task, given_up: None });
    }
    let mut asked: Vec<Asked> = found.into_values().collect();
    asked.sort_by_key(|one| Reverse(one.task.asked));
    Ok(asked)
}

/// Whether an instance was found well, and when.
#[utoipa::path(get, path = "/admin/instances/{id}/verification", tag = "instances", operation_id = "get_instance_verification",
    security(("token" = [])),
    params(("id" = String, Path, description = "`tenant.subscription`")),
    responses((status = 200, description = "The checks, newest first", body = Verification)))]
async fn verification(
    State(api): State<Api>,
    context: Context,
    _operator: Operator,
    Segment(id): Segment<String>,
) -> Result<Json<Verification>, Problem> {
    let view = api.catalog().view()?;
    let id = named(&view, &id)?;
    let checks: Vec<Span> = spans(&api, &id)
        .await?
        .into_iter()
        .filter(|span| span.stage == Stage::Verify)
        .map(Span::from)
        .collect();
    let asked = asked(&api, &view, &id).await?;
    let names: Vec<&Name> = asked.iter().map(|asked| &asked.name).collect();
    let outcomes = api.history()?.tasks(&names).await?;
    let tasks: Vec<Check> = asked
        .into_iter()
        .map(|asked| {
            let outcome = outcomes.get(&asked.name);
            Check::of(asked, outcome, context.now)
        })
        .collect();
    let followed = checks.first().map(|last| (last.started_at, last.state == "ready"));
    let last = tasks.iter().filter_map(Check::verdict).chain(followed).max_by_key(|(at, _)| *at);
    Ok(Json(Verification { verified: last.map(|(_, passed)| passed), checks, tasks }))
}
