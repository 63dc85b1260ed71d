//! Midtrans: Snap for the customer, the Core API for status and refunds.
//!
//! Its notifications are signed without their status: a genuine `cancel` that somebody edited to
//! `settlement` verifies. So the signature only rejects, a notification only says which payment to
//! ask about, and what the GET answers is believed. (docs.midtrans.com, "HTTP notification".)

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use http::Request;
use http::header;
use http_body_util::Full;
use jiff::Timestamp;
use jiff::tz::Offset;
use serde::Deserialize;
use serde_json::json;
use sha2::Digest as _;
use sha2::Sha512;

use super::Answering;
use super::Begun;
use super::Call;
use super::Gateway;
use super::Refusal;
use super::Sent;
use super::signing::Keys;
use super::signing::event_key;
use super::signing::from_hexadecimal;
use crate::billing::wire;
use crate::model::money::Money;
use crate::payments::error::GatewayError;
use crate::payments::http::Answer;
use crate::payments::http::Base;
use crate::payments::http::Http;
use crate::payments::payment::PAYABLE;
use crate::payments::payment::Payment;
use crate::payments::payment::by_order;
use crate::payments::payment::order;
use crate::payments::refund::Refund;
use crate::payments::report::Message;
use crate::payments::report::Report;
use crate::payments::report::Standing;

/// Rupiah, where nothing else is said.
const CURRENCY: &str = "IDR";
/// From here on a payment is not cancelled or denied any more.
const SETTLED: i16 = 3;

/// How we are known at Midtrans.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    pub server_keys: Keys,
    #[serde(default = "snap")]
    pub snap_url: Base,
    #[serde(default = "api")]
    pub api_url: Base,
}

fn snap() -> Base {
    "https://app.midtrans.com".parse().expect("because it is an address")
}

fn api() -> Base {
    "https://api.midtrans.com".parse().expect("because it is an address")
}

#[derive(Clone, Debug)]
pub(in crate::payments) struct Midtrans {
    pub(in crate::payments) settings: Settings,
    pub(in crate::payments) http: Http,
}

/// The fields of a notification that say what it is about.
#[derive(Deserialize)]
struct Notification {
    order_id: String,
    status_code: String,
    gross_amount: String,
    #[serde(default)]
    signature_key: String,
    #[serde(default)]
    transaction_id: String,
    #[serde(default)]
    transaction_status: String,
    #[serde(default)]
    fraud_status: String,
    /// Two refunds of a part differ in nothing else.
    #[serde(default)]
    refund_key: String,
    #[serde(default)]
    refund_amount: String,
}

/// The answer to the question how a payment stands.
#[derive(Deserialize)]
struct Answered {
    status_code: String,
    #[serde(default)]
    status_message: String,
    #[serde(default)]
    order_id: String,
    transaction_id: Option<String>,
    #[serde(default)]
    transaction_status: String,
    fraud_status: Option<String>,
    #[serde(default)]
    payment_type: String,
    #[serde(default)]
    gross_amount: String,
    currency: Option<String>,
    refund_amount: Option<String>,
}

#[derive(Deserialize)]
struct Snapped {
    redirect_url: String,
}

impl Midtrans {
    fn authorised(&self, method: Method, url: String) -> http::request::Builder {
        let login = STANDARD.encode(format!("{}:", self.settings.server_keys.first().reveal()));
        Request::builder()
            .method(method)
            .uri(url)
            .header(header::AUTHORIZATION, format!("Basic {login}"))
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/json")
    }

    async fn send(
        &self,
        method: Method,
        url: String,
        body: Option<serde_json::Value>,
    ) -> Result<Answer, GatewayError> {
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let request = self.authorised(method, url).body(Full::new(body));
        let request = request.map_err(|error| GatewayError::Refused(error.to_string()))?;
        self.http.send(request).await
    }

    async fn status(&self, payment: &Payment) -> Result<Report, GatewayError> {
        let url = format!("{}/v2/{}/status", self.settings.api_url, payment.order());
        let answer = self.send(Method::GET, url, None).await?;
        // Until the customer has chosen how to pay, Midtrans knows nothing to ask about.
        if answer.status == 404 {
            return Ok(Report::of(payment.id, Standing::Pending, payment.amount));
        }
        let status: Answered = answer.json()?;
        if status.status_code == "404" {
            return Ok(Report::of(payment.id, Standing::Pending, payment.amount));
        }
        report(payment, status)
    }
}

/// Reads the answer to a question. Paid is what has code 200, is accepted, and is captured or
/// settled: all three.
fn report(payment: &Payment, status: Answered) -> Result<Report, GatewayError> {
    let unreadable = |why: String| GatewayError::Unreadable(why);
    if status.order_id != payment.order() {
        let said = (status.status_code, status.status_message);
        return Err(unreadable(format!("it is about another payment, with {} {}", said.0, said.1)));
    }
    let currency = status.currency.as_deref().unwrap_or(CURRENCY);
    let currency = currency.parse().map_err(|error| unreadable(format!("{error}")))?;
    let amount = wire::decimal(&status.gross_amount, currency)?;
    let refunded = status.refund_amount.as_deref();
    let refunded = refunded.map(|text| wire::decimal(text, currency)).transpose()?;
    let accepted = match status.fraud_status.as_deref() {
        Some(word) => word == "accept",
        // Only cards are looked at for fraud.
        None => status.payment_type != "credit_card",
    };
    let good = status.status_code == "200" && accepted;
    let mut report = Report::of(payment.id, Standing::Pending, amount);
    report.transaction = status.transaction_id;
    let word = status.transaction_status.as_str();
    report.standing = match word {
        "settlement" if good => Standing::Settled,
        "capture" if good => Standing::Captured,
        // Somebody at Midtrans or here has to look at it first.
        "settlement" | "capture" if status.fraud_status.as_deref() != Some("deny") => {
            Standing::Authorised
        }
        "settlement" | "capture" => Standing::Failed("it looked like fraud".to_owned()),
        "authorize" => Standing::Authorised,
        "pending" => Standing::Pending,
        "deny" | "cancel" | "failure" if payment.rank >= SETTLED => {
            let why = format!("it was settled, and is said to be `{word}` now: look there");
            return Err(GatewayError::Refused(why));
        }
        "deny" | "cancel" | "failure" => Standing::Failed(format!("Midtrans says `{word}`")),
        "expire" => Standing::Expired,
        "refund" | "partial_refund" => {
            let whole = (word == "refund").then_some(amount);
            let refunded = refunded.or(whole);
            let refunded = refunded
                .ok_or_else(|| unreadable("a part was refunded, and not how much".to_owned()))?;
            report.refunded = Some(refunded);
            Standing::Settled
        }
        "chargeback" => {
            report.disputed = Some(left_of(amount, refunded));
            report.refunded = refunded;
            Standing::Settled
        }
        other => {
            let why = format!("it is said to be `{other}`, which nobody here decides: look there");
            return Err(GatewayError::Refused(why));
        }
    };
    Ok(report)
}

fn left_of(amount: Money, refunded: Option<Money>) -> Money {
    Money::new(amount.minor - refunded.map_or(0, |back| back.minor), amount.currency)
}

impl Gateway for Midtrans {
    fn begin<'a>(&'a self, payment: &'a Payment) -> Answering<'a, Begun> {
        Box::pin(async move {
            let start = Offset::constant(7).to_datetime(payment.created_at);
            let mut body = json!({
                "transaction_details": {
                    "order_id": payment.order(),
                    "gross_amount": wire::whole(payment.amount)?,
                },
                "expiry": {
                    "start_time": format!("{} +0700", start.strftime("%Y-%m-%d %H:%M:%S")),
                    "unit": "minutes",
                    "duration": PAYABLE.as_mins(),
                },
            });
            if let Some(back) = &payment.return_url {
                body["callbacks"] = json!({ "finish": back });
            }
            let url = format!("{}/snap/v1/transactions", self.settings.snap_url);
            let answer = self.send(Method::POST, url, Some(body)).await?;
            if !answer.is_success() {
                return Err(refusal(&answer));
            }
            let snapped: Snapped = answer.json()?;
            Ok(Begun { redirect_url: Some(snapped.redirect_url), session: None })
        })
    }

    fn hear(&self, call: Call<'_>, _: Timestamp) -> Result<String, Refusal> {
        let notification: Notification = serde_json::from_slice(call.raw)
            .map_err(|_| Refusal::Malformed("it is no notification of Midtrans"))?;
        let Notification { order_id, status_code, gross_amount, .. } = &notification;
        // The parts are signed without anything between them: what could be cut elsewhere is
        // refused. Our own names for payments have one length and end in a letter.
        if status_code.len() != 3 || !status_code.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::Malformed("`status_code` is not three digits"));
        }
        let signature = from_hexadecimal(&notification.signature_key)?;
        let ours = self.settings.server_keys.sign_as(&signature, |key| {
            let parts = [order_id, status_code, gross_amount, key.reveal()];
            Sha512::digest(parts.concat()).to_vec()
        });
        if !ours {
            return Err(Refusal::Wrong);
        }
        Ok(event_key(&[
            &notification.transaction_id,
            &notification.transaction_status,
            status_code,
            &notification.fraud_status,
            gross_amount,
            &notification.refund_key,
            &notification.refund_amount,
        ]))
    }

    fn read(&self, raw: &[u8]) -> Message {
        let notification: Option<Notification> = serde_json::from_slice(raw).ok();
        match notification.and_then(|notification| by_order(&notification.order_id)) {
            Some(payment) => Message::Hint(payment),
            None => Message::Nothing("it is not about a payment of ours".to_owned()),
        }
    }

    fn ask<'a>(&'a self, payment: &'a Payment, _: Timestamp) -> Answering<'a, Report> {
        Box::pin(self.status(payment))
    }

    fn refund<'a>(
        &'a self,
        payment: &'a Payment,
        refund: &'a Refund,
        _: Timestamp,
    ) -> Answering<'a, Sent> {
        Box::pin(async move {
            let url = format!("{}/v2/{}/refund", self.settings.api_url, payment.order());
            let body = json!({
                "refund_key": order(refund.id),
                "amount": wire::whole(refund.amount)?,
                "reason": refund.reason,
            });
            let answer = self.send(Method::POST, url, Some(body)).await?;
            let status: Answered = answer.json()?;
            match status.status_code.as_str() {
                "200" => Ok(Sent::Done),
                "201" => Ok(Sent::UnderWay),
                code if code.starts_with('5') => Err(GatewayError::Away(status.status_message)),
                _ => Err(GatewayError::Refused(status.status_message)),
            }
        })
    }
}

/// What Snap says when it refuses.
fn refusal(answer: &Answer) -> GatewayError {
    #[derive(Deserialize)]
    struct Refused {
        #[serde(default)]
        error_messages: Vec<String>,
    }
    match answer.json::<Refused>() {
        Ok(refused) => GatewayError::Refused(refused.error_messages.join("; ")),
        Err(error) => error,
    }
}
