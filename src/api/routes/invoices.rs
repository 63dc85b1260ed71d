//! Invoices: what was sold, with its number, and as a PDF.

use axum::Json;
use axum::extract::OriginalUri;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::catalog::Money;
use super::quotes::Tax;
use crate::api::Api;
use crate::api::body::Parameters;
use crate::api::body::Segment;
use crate::api::catalog;
use crate::api::extract::Context;
use crate::api::extract::Viewer;
use crate::api::pages;
use crate::api::pages::Page;
use crate::api::problem;
use crate::api::problem::Problem;
use crate::billing::Cursor;
use crate::billing::invoice;
use crate::billing::invoice::InvoiceError;
use crate::model::Name;
use crate::model::tenant::Language;
use crate::operations::OperationError;
use crate::operations::order::customer;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// What a document is.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Invoice,
    /// It undoes an invoice as a whole.
    CreditNote,
}

/// Who sells or buys.
#[derive(Serialize, ToSchema)]
struct Party {
    name: String,
    address: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tax_id: Option<String>,
}

impl From<invoice::Party> for Party {
    fn from(party: invoice::Party) -> Self {
        Self { name: party.name, address: party.address, tax_id: party.tax_id }
    }
}

/// A line of an invoice.
#[derive(Serialize, ToSchema)]
struct InvoiceLine {
    text: String,
    quantity: i64,
    unit: Money,
    /// How many days of the period are charged; absent where all are.
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<i64>,
    /// Of how many.
    #[serde(skip_serializing_if = "Option::is_none")]
    of_days: Option<i64>,
    amount: Money,
}

/// An invoice or a credit note.
#[derive(Serialize, ToSchema)]
struct Invoice {
    id: Uuid,
    kind: Kind,
    /// Such as `KC-000123`.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    /// The invoice that this credit note undoes.
    #[serde(skip_serializing_if = "Option::is_none")]
    corrects: Option<Uuid>,
    /// The credit note that undoes this invoice.
    #[serde(skip_serializing_if = "Option::is_none")]
    corrected_by: Option<Uuid>,
    tenant: String,
    /// `tenant.subscription`.
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription: Option<String>,
    seller: Party,
    buyer: Party,
    /// The first day that is sold.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    from: Option<Date>,
    /// The last day that is sold.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    through: Option<Date>,
    lines: Vec<InvoiceLine>,
    taxes: Vec<Tax>,
    net: Money,
    tax: Money,
    total: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paid_at: Option<Timestamp>,
    /// Where it is as a PDF.
    pdf: String,
}

impl From<invoice::Invoice> for Invoice {
    fn from(invoice: invoice::Invoice) -> Self {
        Self {
            id: invoice.id,
            kind: match invoice.kind {
                invoice::Kind::Invoice => Kind::Invoice,
                invoice::Kind::CreditNote => Kind::CreditNote,
            },
            number: invoice.number,
            corrects: invoice.corrects,
            corrected_by: invoice.corrected_by,
            tenant: invoice.customer.to_string(),
            subscription: invoice.subscription.as_ref().map(catalog::written),
            seller: invoice.seller.into(),
            buyer: invoice.buyer.into(),
            from: invoice.period.map(|period| period.start),
            through: invoice.period.map(crate::billing::calendar::Period::last_day),
            lines: invoice
                .lines
                .into_iter()
                .map(|line| InvoiceLine {
                    text: line.text,
                    quantity: line.quantity,
                    unit: line.unit.into(),
                    days: line.share.map(|share| share.days),
                    of_days: line.share.map(|share| share.of),
                    amount: line.amount.into(),
                })
                .collect(),
            taxes: invoice.taxes.iter().map(Tax::from).collect(),
            net: invoice.net.into(),
            tax: invoice.tax.into(),
            total: invoice.total.into(),
            issued_at: invoice.issued_at,
            due_at: invoice.due_at,
            paid_at: invoice.paid_at,
            pdf: format!("{}/invoices/{}.pdf", crate::api::ROOT, invoice.id),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// For operators: whose; they have to say.
    #[param(value_type = Option<String>)]
    tenant: Option<Name>,
    /// How many entries; 50 where absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The invoices and credit notes of one's own tenant, the newest first.
#[utoipa::path(get, path = "/invoices", tag = "invoices", operation_id = "list_invoices",
    security(("token" = [])), params(Asked),
    responses((status = 200, description = "A page of invoices, the newest first", body = Page<Invoice>)))]
async fn list(
    State(api): State<Api>,
    context: Context,
    viewer: Viewer,
    OriginalUri(uri): OriginalUri,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Problem> {
    let limit = pages::limit(asked.limit)?;
    let tenant = viewer.narrowed(asked.tenant)?.ok_or_else(|| {
        Problem::field("tenant", "nobody is named", "name the tenant whose invoices are asked for")
    })?;
    let keys = api.accounts().keys(context.now).await?;
    let list = format!("invoices {tenant}");
    let read = |text: &str| text.parse::<Cursor>().ok();
    let after = pages::after(&keys, &list, asked.cursor.as_deref(), read)?;
    let mut db = api.accounts().pool()?.acquire().await.map_err(OperationError::from)?;
    let most = u16::try_from(limit).unwrap_or(u16::MAX);
    let found = invoice::page(&mut db, &customer(&tenant), after, most).await;
    let (found, next) = found.map_err(OperationError::from)?;
    let next_cursor = next.map(|next| pages::cursor(&keys, &list, &next.to_string()));
    let items = found.into_iter().map(Invoice::from).collect();
    Ok(Page { items, next_cursor }.answer(&uri))
}

/// One invoice; with `.pdf` after its id, as a PDF in the language of its buyer.
#[utoipa::path(get, path = "/invoices/{id}", tag = "invoices", operation_id = "get_invoice",
    security(("token" = [])), params(("id" = String, Path, description = "The invoice's id, or `<id>.pdf`")),
    responses((status = 200, description = "The invoice", content(
        (Invoice = "application/json"),
        (Vec<u8> = "application/pdf"),
    ))))]
async fn get(
    State(api): State<Api>,
    viewer: Viewer,
    Segment(id): Segment<String>,
) -> Result<Response, Problem> {
    let (text, as_pdf) = id.strip_suffix(".pdf").map_or((id.as_str(), false), |id| (id, true));
    let id: Uuid = text.parse().map_err(|_| Problem::from(problem::NOT_FOUND))?;
    let mut db = api.accounts().pool()?.acquire().await.map_err(OperationError::from)?;
    let found = match invoice::find(&mut db, id).await {
        Ok(found) => found,
        Err(InvoiceError::Unknown(_)) => return Err(problem::NOT_FOUND.into()),
        Err(error) => return Err(OperationError::from(error).into()),
    };
    drop(db);
    let tenant: Option<Name> = found.customer.as_str().parse().ok();
    if !found.is_final() || !tenant.as_ref().is_some_and(|tenant| viewer.sees(tenant)) {
        return Err(problem::NOT_FOUND.into());
    }
    if !as_pdf {
        return Ok(Json(Invoice::from(found)).into_response());
    }
    let view = api.catalog().view()?;
    let tenant = tenant.and_then(|tenant| view.configuration.tenants.get(&tenant));
    let language = tenant.map_or(Language::En, |tenant| tenant.spec.language);
    let zone = view.configuration.zone();
    let name =
        format!("attachment; filename=\"{}.pdf\"", found.number.as_deref().unwrap_or("invoice"));
    let drawing = tokio::task::spawn_blocking(move || invoice::pdf(&found, language, &zone));
    let drawn = drawing.await.map_err(|error| Problem::internal(&error))?;
    let drawn = drawn.map_err(|error| Problem::internal(&error))?;
    let mut response = ([(header::CONTENT_TYPE, "application/pdf")], drawn).into_response();
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
