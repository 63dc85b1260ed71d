//! What people at the operator do with money: record what came to the bank, have a second person
//! see it, give and take, and send back. Each names what shows that it is right.

use axum::Extension;
use axum::Json;
use axum::extract::OriginalUri;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::catalog::Money;
use super::operations::read_position;
use super::payment::Payment;
use super::payment::Provider;
use super::payment::Status;
use super::payment::Sum;
use super::payments::platform;
use crate::accounts::Principal;
use crate::accounts::audit::Act;
use crate::accounts::audit::Actor;
use crate::api::Api;
use crate::api::body::Body;
use crate::api::body::Parameters;
use crate::api::body::Segment;
use crate::api::catalog::View;
use crate::api::extract::Admin;
use crate::api::extract::Context;
use crate::api::extract::Operator;
use crate::api::idempotency::Once;
use crate::api::pages;
use crate::api::pages::Page;
use crate::api::problem;
use crate::api::problem::Problem;
use crate::billing::OperationKey;
use crate::billing::ledger;
use crate::billing::ledger::Booking;
use crate::model::Name;
use crate::model::platform::PaymentProvider;
use crate::operations::order;
use crate::payments;
use crate::payments::NewRefund;
use crate::payments::PaymentError;
use crate::payments::Recorded;
use crate::payments::Subject;
use crate::payments::payment;
use crate::payments::refund;

pub(super) use crate::operations::order::customer;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, record))
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(refunds, send_back))
        .routes(routes!(adjust))
}

/// What shows that something is right, and why, in words: neither may be empty.
fn said(field: &str, text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if (1..=500).contains(&text.chars().count()) && !text.contains(char::is_control) {
        return Ok(text.to_owned());
    }
    let message = "1 to 500 characters are taken, on one line";
    Err(Problem::field(field, message, "say what shows it, such as the number of the transfer"))
}

fn known(view: &View, tenant: &Name) -> Result<(), Problem> {
    if view.configuration.tenants.contains_key(tenant) {
        return Ok(());
    }
    let message = format!("there is no tenant `{tenant}`");
    Err(Problem::field("tenant", message, "name one that has a document in the repository"))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Only those of this tenant.
    #[param(value_type = Option<String>)]
    tenant: Option<Name>,
    /// Only those that stand so.
    state: Option<Status>,
    /// Only those that are taken by this one.
    provider: Option<Provider>,
    /// How many entries; 50 where absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Payments of all customers, the newest first: such as those that wait for a second person
/// (`state=pending` and `provider=manual`).
#[utoipa::path(get, path = "/admin/payments", tag = "wallet", operation_id = "list_payments",
    security(("token" = [])), params(Asked),
    responses((status = 200, description = "A page of payments, the newest first", body = Page<Payment>)))]
async fn list(
    State(api): State<Api>,
    context: Context,
    _operator: Operator,
    OriginalUri(uri): OriginalUri,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Problem> {
    let limit = pages::limit(asked.limit)?;
    let keys = api.accounts().keys(context.now).await?;
    let mut wish = payment::Asked {
        customer: asked.tenant,
        state: asked.state.map(payments::State::from),
        provider: asked.provider.map(PaymentProvider::from),
        before: None,
    };
    let list = format!("payments {:?}", (&wish.customer, wish.state, wish.provider));
    wish.before = pages::after(&keys, &list, asked.cursor.as_deref(), read_position)?;
    let mut db = api.accounts().pool()?.acquire().await.map_err(PaymentError::from)?;
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let found = payment::list(&mut db, &wish, most).await?;
    let next = |last: &payments::Payment| {
        pages::cursor(&keys, &list, &format!("{} {}", last.created_at, last.id))
    };
    let Page { items, next_cursor } = Page::of(found, limit, next);
    let items: Vec<Payment> = items.into_iter().map(Payment::from).collect();
    Ok(Page { items, next_cursor }.answer(&uri))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BankPayment {
    /// Who paid.
    #[schema(value_type = String)]
    tenant: Name,
    amount: Sum,
    /// The order that waits for it; absent for a top-up.
    order: Option<Uuid>,
    /// What shows it, such as the bank's number of the transfer. It shows one payment.
    #[schema(max_length = 500)]
    evidence: String,
    /// Why it is theirs, in words.
    #[schema(max_length = 500)]
    note: String,
}

/// Record money that came to the bank. A large one waits for a second person (202).
#[utoipa::path(post, path = "/admin/payments", tag = "wallet", operation_id = "record_payment",
    security(("token" = [])), request_body = BankPayment,
    params(("Idempotency-Key" = String, Header, description = "A fresh one for each payment, and the same when it is sent again")),
    responses((status = 201, description = "It is in the wallet", body = Payment),
        (status = 202, description = "It waits for a second person", body = Payment),
        (status = 404, description = "There is no such tenant", body = problem::Document, content_type = "application/problem+json"),
        (status = 409, description = "The evidence was recorded before", body = problem::Document, content_type = "application/problem+json")))]
async fn record(
    State(api): State<Api>,
    context: Context,
    operator: Operator,
    Extension(Once(id)): Extension<Once>,
    Body(body): Body<BankPayment>,
) -> Result<(StatusCode, Json<Payment>), Problem> {
    let view = api.catalog().view()?;
    known(&view, &body.tenant)?;
    let amount = body.amount.read()?;
    let rules = &platform(&view)?.payments;
    let second_person = rules.asks_a_second_person(amount);
    let approve_until =
        context.now.to_zoned(TimeZone::UTC).saturating_add(rules.approve_within.span());
    let mut transaction = api.accounts().begin().await?;
    if let Some(id) = body.order {
        let order = order::find(&mut transaction, id).await?;
        if order.customer != body.tenant {
            return Err(Problem::field(
                "order",
                "it is not theirs",
                "name an order of this tenant",
            ));
        }
    }
    let wish = Recorded {
        id,
        subject: body.order.map_or(Subject::TopUp, Subject::Order),
        customer: body.tenant,
        amount,
        evidence: said("evidence", &body.evidence)?,
        note: said("note", &body.note)?,
        by: operator.principal().account,
        second_person,
        approve_until: approve_until.timestamp(),
        now: context.now,
    };
    let payment = api.payments().record(&mut transaction, &wish).await?;
    let detail = json!({
        "tenant": wish.customer, "amount": amount.to_string(), "evidence": wish.evidence,
        "note": wish.note, "waits": second_person,
    });
    let act = Act::done("payment.record", format!("payment {id}")).with(detail);
    conclude(&api, transaction, operator.principal(), &act, &context).await?;
    let status = if payment.state.is_open() { StatusCode::ACCEPTED } else { StatusCode::CREATED };
    Ok((status, Json(payment.into())))
}

/// Writes the line of audit, commits both, and has orders that were paid looked at.
async fn conclude(
    api: &Api,
    transaction: sqlx::Transaction<'_, sqlx::Postgres>,
    principal: &Principal,
    act: &Act,
    context: &Context,
) -> Result<(), Problem> {
    let actor = Actor::Principal(principal);
    api.accounts().conclude(transaction, &actor, act, &context.origin, context.now).await?;
    if let Ok(desk) = api.desk() {
        desk.tell();
    }
    Ok(())
}

/// Approve, as a second person, what a first one recorded: it is in the wallet.
#[utoipa::path(post, path = "/admin/payments/{id}/approve", tag = "wallet", operation_id = "approve_payment",
    security(("token" = [])), params(("id" = Uuid, Path, description = "The payment's id")),
    responses((status = 200, description = "It is in the wallet", body = Payment),
        (status = 409, description = "It does not wait, or you recorded it yourself", body = problem::Document, content_type = "application/problem+json")))]
async fn approve(
    State(api): State<Api>,
    context: Context,
    operator: Operator,
    Segment(id): Segment<Uuid>,
) -> Result<Json<Payment>, Problem> {
    let by = operator.principal().account;
    let mut transaction = api.accounts().begin().await?;
    let payment = api.payments().approve(&mut transaction, id, by, context.now).await?;
    let act = Act::done("payment.approve", format!("payment {id}"));
    conclude(&api, transaction, operator.principal(), &act, &context).await?;
    Ok(Json(payment.into()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rejection {
    /// Why, in words.
    #[schema(max_length = 500)]
    reason: String,
}

/// Reject what was recorded and waits for a second person: it never counts.
#[utoipa::path(post, path = "/admin/payments/{id}/reject", tag = "wallet", operation_id = "reject_payment",
    security(("token" = [])), request_body = Rejection, params(("id" = Uuid, Path, description = "The payment's id")),
    responses((status = 200, description = "It never counts", body = Payment),
        (status = 409, description = "It does not wait", body = problem::Document, content_type = "application/problem+json")))]
async fn reject(
    State(api): State<Api>,
    context: Context,
    operator: Operator,
    Segment(id): Segment<Uuid>,
    Body(body): Body<Rejection>,
) -> Result<Json<Payment>, Problem> {
    let reason = said("reason", &body.reason)?;
    let mut transaction = api.accounts().begin().await?;
    let payment = api.payments().reject(&mut transaction, id, &reason).await?;
    let act = Act::done("payment.reject", format!("payment {id}"));
    let act = act.with(json!({ "reason": reason }));
    conclude(&api, transaction, operator.principal(), &act, &context).await?;
    Ok(Json(payment.into()))
}

/// Money that goes back.
#[derive(Serialize, ToSchema)]
struct Refund {
    id: Uuid,
    payment: Uuid,
    amount: Money,
    reason: String,
    /// `asked` while it is on its way and held in the wallet, then `done` or `refused`.
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    created_at: Timestamp,
}

impl From<refund::Refund> for Refund {
    fn from(refund: refund::Refund) -> Self {
        Self {
            id: refund.id,
            payment: refund.payment,
            amount: refund.amount.into(),
            reason: refund.reason,
            status: refund.state,
            why: refund.why,
            created_at: refund.created_at,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewReturn {
    /// All that is left of the payment where absent.
    amount: Option<Sum>,
    /// Why, in words.
    #[schema(max_length = 200)]
    reason: String,
    /// What shows that it went back, where you sent it by hand.
    #[schema(max_length = 500)]
    evidence: Option<String>,
}

/// What went back of a payment, and what is on its way.
#[utoipa::path(get, path = "/admin/payments/{id}/refunds", tag = "wallet", operation_id = "list_refunds",
    security(("token" = [])), params(("id" = Uuid, Path, description = "The payment's id")),
    responses((status = 200, description = "The refunds, the oldest first", body = Vec<Refund>)))]
async fn refunds(
    State(api): State<Api>,
    _operator: Operator,
    Segment(id): Segment<Uuid>,
) -> Result<Json<Vec<Refund>>, Problem> {
    let mut transaction = api.accounts().begin().await?;
    let found = refund::of_payment(&mut transaction, id).await?;
    Ok(Json(found.into_iter().map(Refund::from).collect()))
}

/// Send money back that is still in the wallet. It is held there until the provider has it.
#[utoipa::path(post, path = "/admin/payments/{id}/refunds", tag = "wallet", operation_id = "refund_payment",
    security(("token" = [])), request_body = NewReturn,
    params(("id" = Uuid, Path, description = "The payment's id"),
        ("Idempotency-Key" = String, Header, description = "A fresh one for each refund, and the same when it is sent again")),
    responses((status = 202, description = "It is on its way, or back", body = Refund),
        (status = 402, description = "It is not in the wallet any more", body = problem::Document, content_type = "application/problem+json"),
        (status = 409, description = "It cannot be sent back in this way", body = problem::Document, content_type = "application/problem+json")))]
async fn send_back(
    State(api): State<Api>,
    context: Context,
    admin: Admin,
    Segment(payment): Segment<Uuid>,
    Extension(Once(id)): Extension<Once>,
    Body(body): Body<NewReturn>,
) -> Result<(StatusCode, Json<Refund>), Problem> {
    let evidence = body.evidence.map(|evidence| said("evidence", &evidence)).transpose()?;
    let wish = NewRefund {
        id,
        payment,
        amount: body.amount.map(Sum::read).transpose()?,
        reason: said("reason", &body.reason)?,
        evidence,
        by: admin.principal().account,
        now: context.now,
    };
    let mut transaction = api.accounts().begin().await?;
    let refund = api.payments().refund(&mut transaction, &wish).await?;
    let detail = json!({
        "refund": id, "amount": refund.amount.to_string(), "reason": wish.reason, "evidence": wish.evidence,
    });
    let act = Act::done("payment.refund", format!("payment {payment}")).with(detail);
    conclude(&api, transaction, admin.principal(), &act, &context).await?;
    Ok((StatusCode::ACCEPTED, Json(refund.into())))
}

/// Whether a wallet is given to or taken from.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Credit,
    Debit,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAdjustment {
    #[schema(value_type = String)]
    tenant: Name,
    direction: Direction,
    amount: Sum,
    /// What shows that it is right, such as the number of a ticket.
    #[schema(max_length = 500)]
    evidence: String,
    /// Why, in words.
    #[schema(max_length = 500)]
    note: String,
}

/// What was booked.
#[derive(Serialize, ToSchema)]
struct Adjustment {
    /// The ledger's transaction.
    transaction: Uuid,
}

/// Give to a wallet, or take from it, with evidence.
#[utoipa::path(post, path = "/admin/adjustments", tag = "wallet", operation_id = "adjust_wallet",
    security(("token" = [])), request_body = NewAdjustment,
    params(("Idempotency-Key" = String, Header, description = "A fresh one for each, and the same when it is sent again")),
    responses((status = 201, description = "It is booked", body = Adjustment),
        (status = 404, description = "There is no such tenant", body = problem::Document, content_type = "application/problem+json"),
        (status = 402, description = "There is not so much in the wallet", body = problem::Document, content_type = "application/problem+json")))]
async fn adjust(
    State(api): State<Api>,
    context: Context,
    admin: Admin,
    Extension(Once(id)): Extension<Once>,
    Body(body): Body<NewAdjustment>,
) -> Result<(StatusCode, Json<Adjustment>), Problem> {
    let view = api.catalog().view()?;
    known(&view, &body.tenant)?;
    let amount = body.amount.read()?;
    let amount = match body.direction {
        Direction::Credit => amount,
        Direction::Debit => crate::model::money::Money::new(-amount.minor, amount.currency),
    };
    let (evidence, note) = (said("evidence", &body.evidence)?, said("note", &body.note)?);
    let (key, by) = (OperationKey::follows("adjust", id), admin.principal().account.to_string());
    let booking = Booking {
        key: &key,
        at: context.now,
        actor: &by,
        subject: None,
        evidence: Some(&evidence),
        note: Some(&note),
    };
    let mut transaction = api.accounts().begin().await?;
    let posted = ledger::adjust(&mut transaction, booking, &customer(&body.tenant), amount).await?;
    let detail = json!({ "amount": amount.to_string(), "evidence": evidence, "note": note });
    let act = Act::done("wallet.adjust", format!("tenant {}", body.tenant)).with(detail);
    conclude(&api, transaction, admin.principal(), &act, &context).await?;
    Ok((StatusCode::CREATED, Json(Adjustment { transaction: posted.transaction })))
}
