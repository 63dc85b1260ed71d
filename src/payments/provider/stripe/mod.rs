//! Stripe: a Checkout session for the customer, signed events, refunds.
//!
//! Events are signed whole and in time, so what they say is proven. They come in any order and
//! again: what they say is a state, and states have ranks. (docs.stripe.com/webhooks.)

mod event;

use axum::body::Bytes;
use form_urlencoded::Serializer;
use http::Method;
use http::Request;
use http::header;
use http_body_util::Full;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::Answering;
use super::Begun;
use super::Call;
use super::Gateway;
use super::Refusal;
use super::Sent;
use super::no_way_back;
use super::signing::Keys;
use super::signing::from_hexadecimal;
use super::signing::hmac_sha256;
use crate::billing::wire;
use crate::payments::error::GatewayError;
use crate::payments::http::Answer;
use crate::payments::http::Base;
use crate::payments::http::Http;
use crate::payments::payment::Payment;
use crate::payments::payment::order;
use crate::payments::refund::Refund;
use crate::payments::report::Message;
use crate::payments::report::Report;
use crate::payments::report::Standing;
use event::Event;
use event::Session;
use event::meaning;
use event::report;

/// How far a signature may be from now, in seconds, to either side.
const TOLERANCE: i64 = 300;

/// How we are known at Stripe.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// `sk_…` or, better, a restricted `rk_…`.
    pub secret_keys: Keys,
    /// `whsec_…`, whole, of the endpoint of our webhook.
    pub webhook_secrets: Keys,
    /// Whether it is about real money; events of the other kind are refused.
    #[serde(default = "real")]
    pub live: bool,
    /// The version of the API that we speak, and that the endpoint of our webhook is set to.
    #[serde(default = "version")]
    pub api_version: String,
    #[serde(default = "api")]
    pub api_url: Base,
}

fn real() -> bool {
    true
}

fn version() -> String {
    "2024-06-20".to_owned()
}

fn api() -> Base {
    "https://api.stripe.com".parse().expect("because it is an address")
}

#[derive(Clone, Debug)]
pub(in crate::payments) struct Stripe {
    pub(in crate::payments) settings: Settings,
    pub(in crate::payments) http: Http,
}

#[derive(Deserialize)]
struct Refunded {
    status: Option<String>,
    #[serde(default)]
    metadata: Value,
}

#[derive(Deserialize)]
struct Listed {
    data: Vec<Refunded>,
}

impl Stripe {
    async fn send(
        &self,
        method: Method,
        path: &str,
        form: &[(&str, String)],
        once: Option<&str>,
    ) -> Result<Answer, GatewayError> {
        let encoded = Serializer::new(String::new()).extend_pairs(form).finish();
        let get = method == Method::GET;
        let query = if get && !encoded.is_empty() { format!("?{encoded}") } else { String::new() };
        let key = self.settings.secret_keys.first();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}{query}", self.settings.api_url))
            .header(header::AUTHORIZATION, format!("Bearer {}", key.reveal()))
            .header("stripe-version", &self.settings.api_version)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(once) = once {
            request = request.header("idempotency-key", once);
        }
        let body = if get { Bytes::new() } else { encoded.into() };
        let request = request.body(Full::new(body));
        let request = request.map_err(|error| GatewayError::Refused(error.to_string()))?;
        let answer = self.http.send(request).await?;
        if answer.is_success() { Ok(answer) } else { Err(refusal(&answer)) }
    }

    /// What became of a refund that may have been asked for before. Stripe forgets names of
    /// requests after a day, so the list is looked through first.
    async fn refund_once(&self, payment: &Payment, refund: &Refund) -> Result<Sent, GatewayError> {
        let intent = payment.transaction.clone();
        let intent = intent.ok_or(GatewayError::Unable("a payment without a transaction"))?;
        let asked = [("payment_intent", intent.clone()), ("limit", "100".to_owned())];
        let listed: Listed = self.send(Method::GET, "/v1/refunds", &asked, None).await?.json()?;
        let name = order(refund.id);
        let mut known =
            listed.data.into_iter().find(|known| known.metadata["refund"] == name.as_str());
        if known.is_none() {
            let form = [
                ("payment_intent", intent),
                ("amount", refund.amount.minor.to_string()),
                ("metadata[refund]", name.clone()),
            ];
            let answer = self.send(Method::POST, "/v1/refunds", &form, Some(&name)).await?;
            known = Some(answer.json()?);
        }
        match known.and_then(|known| known.status).as_deref() {
            Some("succeeded") => Ok(Sent::Done),
            Some("failed" | "canceled") => {
                Err(GatewayError::Refused("the bank did not take it back".to_owned()))
            }
            _ => Ok(Sent::UnderWay),
        }
    }
}

impl Gateway for Stripe {
    fn begin<'a>(&'a self, payment: &'a Payment) -> Answering<'a, Begun> {
        Box::pin(async move {
            let minor = wire::minor(payment.amount);
            // Of currencies with three decimals Stripe takes tens. (docs.stripe.com/currencies)
            if payment.amount.currency.digits() == 3 && minor % 10 != 0 {
                let why = format!("{} does not end in a zero", payment.amount);
                return Err(GatewayError::Refused(why));
            }
            let name = payment.order();
            let back = payment.return_url.clone();
            let back = back.ok_or_else(no_way_back)?;
            let form = [
                ("mode", "payment".to_owned()),
                ("client_reference_id", name.clone()),
                ("success_url", back.clone()),
                ("cancel_url", back),
                ("expires_at", payment.payable_until.as_second().to_string()),
                ("line_items[0][quantity]", "1".to_owned()),
                (
                    "line_items[0][price_data][currency]",
                    payment.amount.currency.code().to_lowercase(),
                ),
                ("line_items[0][price_data][unit_amount]", minor.to_string()),
                ("line_items[0][price_data][product_data][name]", name.clone()),
                ("payment_intent_data[metadata][order]", name.clone()),
            ];
            let path = "/v1/checkout/sessions";
            let answer = self.send(Method::POST, path, &form, Some(&name)).await?;
            let session: Session = answer.json()?;
            let url = session.url.ok_or_else(|| {
                GatewayError::Unreadable("a session without an address".to_owned())
            })?;
            Ok(Begun { redirect_url: Some(url), session: Some(session.id) })
        })
    }

    fn hear(&self, call: Call<'_>, now: Timestamp) -> Result<String, Refusal> {
        let header = call.headers.get("stripe-signature").ok_or(Refusal::Unsigned)?;
        let header = header.to_str().map_err(|_| Refusal::Malformed("the signature is no text"))?;
        let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
        let time = parts().find(|(name, _)| *name == "t").map(|(_, time)| time);
        let time = time.ok_or(Refusal::Malformed("the signature has no time"))?;
        let seconds: i64 =
            time.parse().map_err(|_| Refusal::Malformed("the signature has no time"))?;
        let signed = [time.as_bytes(), b".", call.raw].concat();
        // Other schemes are passed over, and what is no signature: one good one is enough.
        let candidates = parts().filter(|(name, _)| *name == "v1");
        let good =
            candidates.filter_map(|(_, text)| from_hexadecimal(text).ok()).any(|signature| {
                self.settings.webhook_secrets.sign_as(&signature, |key| hmac_sha256(key, &signed))
            });
        if !good {
            return Err(Refusal::Wrong);
        }
        if now.as_second().abs_diff(seconds) > TOLERANCE.unsigned_abs() {
            return Err(Refusal::Stale);
        }
        let event: Event = serde_json::from_slice(call.raw)
            .map_err(|_| Refusal::Malformed("it is no event of Stripe"))?;
        Ok(event.id)
    }

    fn read(&self, raw: &[u8]) -> Message {
        let Ok(event) = serde_json::from_slice::<Event>(raw) else {
            return Message::Refused("it is no event of Stripe".to_owned());
        };
        if event.livemode != self.settings.live {
            let real = if event.livemode { "real" } else { "test" };
            return Message::Refused(format!("it is about {real} money, and we take the other"));
        }
        if event.api_version.as_ref().is_some_and(|version| *version != self.settings.api_version) {
            return Message::Refused(format!(
                "it speaks another version of the API: set the webhook's endpoint to {}",
                self.settings.api_version
            ));
        }
        meaning(&event)
    }

    fn ask<'a>(&'a self, payment: &'a Payment, _: Timestamp) -> Answering<'a, Report> {
        Box::pin(async move {
            let Some(session) = &payment.session else {
                return Ok(Report::of(payment.id, Standing::Pending, payment.amount));
            };
            let path = format!("/v1/checkout/sessions/{session}");
            let whole = [("expand[]", "payment_intent.latest_charge".to_owned())];
            let session: Session = self.send(Method::GET, &path, &whole, None).await?.json()?;
            if session.client_reference_id.as_deref() != Some(&payment.order()) {
                return Err(GatewayError::Unreadable("it is about another payment".to_owned()));
            }
            report(payment.id, &session)
        })
    }

    fn refund<'a>(
        &'a self,
        payment: &'a Payment,
        refund: &'a Refund,
        _: Timestamp,
    ) -> Answering<'a, Sent> {
        Box::pin(self.refund_once(payment, refund))
    }
}

/// What Stripe says when it refuses. A wrong key is our mistake, and may be put right.
fn refusal(answer: &Answer) -> GatewayError {
    #[derive(Deserialize)]
    struct Refused {
        error: Told,
    }
    #[derive(Deserialize)]
    struct Told {
        #[serde(default)]
        message: String,
    }
    let told = answer.json::<Refused>().map(|refused| refused.error.message).unwrap_or_default();
    match answer.status {
        status @ (401 | 403 | 409) => GatewayError::Away(format!("Stripe answers with {status}")),
        _ => GatewayError::Refused(told),
    }
}
