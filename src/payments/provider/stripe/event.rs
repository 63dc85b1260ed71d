//! What Stripe says of a payment: in events, and of a session that is asked for.

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::model::money::Money;
use crate::payments::error::GatewayError;
use crate::payments::payment::by_order;
use crate::payments::report::Message;
use crate::payments::report::Report;
use crate::payments::report::Standing;
use crate::payments::report::Which;

#[derive(Deserialize)]
pub(super) struct Event {
    pub(super) id: String,
    #[serde(rename = "type")]
    kind: String,
    pub(super) livemode: bool,
    pub(super) api_version: Option<String>,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Value,
}

#[derive(Deserialize)]
pub(super) struct Session {
    pub(super) id: String,
    #[serde(default)]
    pub(super) url: Option<String>,
    pub(super) client_reference_id: Option<String>,
    status: Option<String>,
    payment_status: Option<String>,
    amount_total: Option<i64>,
    currency: Option<String>,
    /// Its id, or all of it where that was asked for.
    payment_intent: Option<Value>,
}

#[derive(Deserialize)]
struct Charge {
    payment_intent: Option<String>,
    amount: i64,
    #[serde(default)]
    amount_refunded: i64,
    currency: String,
    #[serde(default)]
    metadata: Value,
}

#[derive(Deserialize)]
struct Dispute {
    payment_intent: Option<String>,
    amount: i64,
    currency: String,
}

fn money(minor: i64, currency: &str) -> Option<Money> {
    Some(Money::new(minor, currency.to_ascii_uppercase().parse().ok()?))
}

/// What an event means. Kinds that are not listed say nothing to us.
pub(super) fn meaning(event: &Event) -> Message {
    let unreadable = || Message::Refused(format!("the `{}` cannot be read", event.kind));
    let object = event.data.object.clone();
    match event.kind.as_str() {
        "checkout.session.completed"
        | "checkout.session.async_payment_succeeded"
        | "checkout.session.async_payment_failed"
        | "checkout.session.expired" => {
            let Ok(session) = serde_json::from_value::<Session>(object) else {
                return unreadable();
            };
            let Some(payment) = session.client_reference_id.as_deref().and_then(by_order) else {
                return Message::Nothing("it is not about a payment of ours".to_owned());
            };
            let mut report = match report(payment, &session) {
                Ok(report) => report,
                Err(error) => return Message::Refused(error.to_string()),
            };
            if event.kind.ends_with("async_payment_failed") && !report.standing.is_paid() {
                report.standing = Standing::Failed("the bank refused".to_owned());
            }
            Message::Proof(report)
        }
        "charge.refunded" => {
            let Ok(charge) = serde_json::from_value::<Charge>(object) else { return unreadable() };
            // The name travels from the payment intent to its charge.
            let Some(payment) = charge.metadata["order"].as_str().and_then(by_order) else {
                return Message::Nothing("it is not about a payment of ours".to_owned());
            };
            let (Some(amount), Some(refunded)) = (
                money(charge.amount, &charge.currency),
                money(charge.amount_refunded, &charge.currency),
            ) else {
                return unreadable();
            };
            Message::Proof(Report {
                transaction: charge.payment_intent,
                refunded: Some(refunded),
                ..Report::of(payment, Standing::Settled, amount)
            })
        }
        "charge.dispute.funds_withdrawn" => {
            let Ok(dispute) = serde_json::from_value::<Dispute>(object) else {
                return unreadable();
            };
            let (Some(disputed), Some(intent)) =
                (money(dispute.amount, &dispute.currency), dispute.payment_intent)
            else {
                return unreadable();
            };
            Message::Proof(Report {
                which: Which::Transaction(intent),
                standing: Standing::Settled,
                amount: None,
                transaction: None,
                refunded: None,
                disputed: Some(disputed),
            })
        }
        other => Message::Nothing(format!("`{other}` is not listened to")),
    }
}

pub(super) fn report(payment: Uuid, session: &Session) -> Result<Report, GatewayError> {
    let amount = session.amount_total.zip(session.currency.as_deref());
    let amount = amount.and_then(|(minor, currency)| money(minor, currency));
    let amount =
        amount.ok_or_else(|| GatewayError::Unreadable("a session without an amount".to_owned()))?;
    let standing = match (session.payment_status.as_deref(), session.status.as_deref()) {
        (Some("paid"), _) => Standing::Settled,
        (_, Some("expired")) => Standing::Expired,
        _ => Standing::Pending,
    };
    let intent = session.payment_intent.as_ref();
    let (id, charge) = match intent {
        Some(Value::String(id)) => (Some(id.clone()), None),
        Some(whole) => (whole["id"].as_str().map(str::to_owned), Some(&whole["latest_charge"])),
        None => (None, None),
    };
    let refunded = charge.and_then(|charge| charge["amount_refunded"].as_i64());
    Ok(Report {
        transaction: id,
        refunded: refunded.map(|minor| Money::new(minor, amount.currency)),
        ..Report::of(payment, standing, amount)
    })
}
