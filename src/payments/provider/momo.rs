//! `MoMo`, gateway v2: a page to pay at, a signed notification, a question, refunds.
//!
//! Each message signs a list of fields of its own, in an order of its own, and never the whole
//! body. (developers.momo.vn/v3, and momo-wallet/payment.)

use axum::body::Bytes;
use http::Method;
use http::Request;
use http::header;
use http_body_util::Full;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::Answering;
use super::Begun;
use super::Call;
use super::Gateway;
use super::Refusal;
use super::Sent;
use super::no_way_back;
use super::signing::Keys;
use super::signing::event_key;
use super::signing::from_hexadecimal;
use super::signing::hexadecimal;
use super::signing::hmac_sha256;
use super::signing::secret;
use crate::billing::wire;
use crate::model::Secret;
use crate::model::money::Money;
use crate::payments::error::GatewayError;
use crate::payments::http::Base;
use crate::payments::http::Http;
use crate::payments::payment::Payment;
use crate::payments::payment::by_order;
use crate::payments::payment::order;
use crate::payments::refund::Refund;
use crate::payments::report::Message;
use crate::payments::report::Report;
use crate::payments::report::Standing;

/// What a notification signs, in this order, after the access key, which it does not hold.
const NOTIFIED: [&str; 12] = [
    "amount",
    "extraData",
    "message",
    "orderId",
    "orderInfo",
    "orderType",
    "partnerCode",
    "payType",
    "requestId",
    "responseTime",
    "resultCode",
    "transId",
];

/// How we are known at `MoMo`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    pub partner_code: String,
    #[serde(deserialize_with = "secret")]
    pub access_key: Secret,
    pub secret_keys: Keys,
    #[serde(default = "api")]
    pub api_url: Base,
}

fn api() -> Base {
    "https://payment.momo.vn".parse().expect("because it is an address")
}

#[derive(Clone, Debug)]
pub(in crate::payments) struct Momo {
    pub(in crate::payments) settings: Settings,
    /// Where `MoMo` sends its notifications.
    pub(in crate::payments) notify_url: String,
    pub(in crate::payments) http: Http,
}

/// A field as it is signed: text as it is, numbers in plain digits.
fn plain(body: &Value, name: &str) -> Option<String> {
    match &body[name] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `accessKey=…&name=value&…`, nothing encoded.
fn raw(access_key: &Secret, body: &Value, names: &[&str]) -> Option<String> {
    let mut raw = format!("accessKey={}", access_key.reveal());
    for name in names {
        let value = plain(body, name)?;
        raw.extend(["&", name, "=", &value]);
    }
    Some(raw)
}

fn standing(code: i64, message: &str) -> Standing {
    match code {
        0 => Standing::Settled,
        9000 => Standing::Authorised,
        // Not decided yet: begun, at the customer, or at the bank. (MoMo's table of result codes.)
        1000 | 7000 | 7002 => Standing::Pending,
        1005 => Standing::Expired,
        _ => Standing::Failed(format!("MoMo says {code}: {message}")),
    }
}

fn dong(amount: i64) -> Option<Money> {
    Some(Money::new(amount, "VND".parse().ok()?))
}

impl Momo {
    /// Signs a request and sends it. The order of `signed` is the one that `MoMo` documents.
    async fn send(
        &self,
        path: &str,
        mut body: Value,
        signed: &[&str],
    ) -> Result<Value, GatewayError> {
        let raw = raw(&self.settings.access_key, &body, signed);
        let raw = raw.ok_or(GatewayError::Unable("a request that lacks a field"))?;
        let signature = hmac_sha256(self.settings.secret_keys.first(), raw.as_bytes());
        body["signature"] = hexadecimal(&signature).into();
        body["lang"] = "en".into();
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}{path}", self.settings.api_url))
            .header(header::CONTENT_TYPE, "application/json; charset=UTF-8")
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|error| GatewayError::Refused(error.to_string()))?;
        // Refusals come as JSON with a code, whatever the status is.
        self.http.send(request).await?.json()
    }

    async fn create(&self, payment: &Payment) -> Result<Begun, GatewayError> {
        const SIGNED: [&str; 9] = [
            "amount",
            "extraData",
            "ipnUrl",
            "orderId",
            "orderInfo",
            "partnerCode",
            "redirectUrl",
            "requestId",
            "requestType",
        ];
        let back = payment.return_url.as_deref();
        let back = back.ok_or_else(no_way_back)?;
        if payment.amount.currency.code() != "VND" {
            return Err(GatewayError::Refused("MoMo takes dong".to_owned()));
        }
        let order = payment.order();
        // The same request under the same name is answered as the first was.
        let body = json!({
            "partnerCode": self.settings.partner_code,
            "requestId": order,
            "amount": wire::whole(payment.amount)?,
            "orderId": order,
            "orderInfo": format!("Thanh toan {order}"),
            "redirectUrl": back,
            "ipnUrl": self.notify_url,
            "requestType": "captureWallet",
            "extraData": "",
        });
        let answer = self.send("/v2/gateway/api/create", body, &SIGNED).await?;
        match (answer["resultCode"].as_i64(), answer["payUrl"].as_str()) {
            (Some(0), Some(url)) => Ok(Begun { redirect_url: Some(url.to_owned()), session: None }),
            (Some(10), _) => Err(GatewayError::Away("MoMo is under maintenance".to_owned())),
            (Some(code), _) => Err(refusal(code, &answer)),
            (None, _) => Err(GatewayError::Unreadable("it has no result".to_owned())),
        }
    }

    async fn query(&self, order: &str) -> Result<Value, GatewayError> {
        let body = json!({
            "partnerCode": self.settings.partner_code,
            "requestId": order,
            "orderId": order,
        });
        let signed = ["orderId", "partnerCode", "requestId"];
        self.send("/v2/gateway/api/query", body, &signed).await
    }

    async fn question(&self, payment: &Payment) -> Result<Report, GatewayError> {
        let answer = self.query(&payment.order()).await?;
        let unreadable = |why: &str| GatewayError::Unreadable(why.to_owned());
        let code = answer["resultCode"].as_i64().ok_or_else(|| unreadable("it has no result"))?;
        // 42: nobody has begun it there.
        if code == 42 {
            return Ok(Report::of(payment.id, Standing::Pending, payment.amount));
        }
        if answer["orderId"].as_str() != Some(&payment.order()) {
            return Err(unreadable("it is about another payment"));
        }
        let amount = answer["amount"].as_i64().and_then(dong);
        let amount = amount.ok_or_else(|| unreadable("it has no amount"))?;
        let message = answer["message"].as_str().unwrap_or_default();
        let refunds = answer["refundTrans"].as_array().map_or(&[][..], Vec::as_slice);
        let done = refunds.iter().filter(|refund| refund["resultCode"].as_i64() == Some(0));
        let refunded: i64 = done.filter_map(|refund| refund["amount"].as_i64()).sum();
        Ok(Report {
            transaction: transaction(&answer),
            refunded: Some(Money::new(refunded, amount.currency)),
            ..Report::of(payment.id, standing(code, message), amount)
        })
    }

    async fn send_back(&self, payment: &Payment, refund: &Refund) -> Result<Sent, GatewayError> {
        const SIGNED: [&str; 6] =
            ["amount", "description", "orderId", "partnerCode", "requestId", "transId"];
        let transaction = payment.transaction.as_deref().and_then(|text| text.parse::<i64>().ok());
        let transaction =
            transaction.ok_or(GatewayError::Unable("a payment without a transaction"))?;
        let name = order(refund.id);
        let body = json!({
            "partnerCode": self.settings.partner_code,
            "orderId": name,
            "requestId": name,
            "amount": wire::whole(refund.amount)?,
            "transId": transaction,
            "description": refund.reason,
        });
        let answer = self.send("/v2/gateway/api/refund", body, &SIGNED).await?;
        match answer["resultCode"].as_i64() {
            Some(0) => Ok(Sent::Done),
            Some(1000 | 7000 | 7002) => Ok(Sent::UnderWay),
            // It was asked for before: what became of it stands with the payment.
            Some(40 | 41) => {
                let known = self.query(&payment.order()).await?;
                let refunds = known["refundTrans"].as_array().cloned().unwrap_or_default();
                let this = refunds.iter().find(|one| one["orderId"] == name.as_str());
                match this.and_then(|this| this["resultCode"].as_i64()) {
                    Some(0) => Ok(Sent::Done),
                    None | Some(1000 | 7000 | 7002) => Ok(Sent::UnderWay),
                    Some(code) => Err(refusal(code, &known)),
                }
            }
            Some(10) => Err(GatewayError::Away("MoMo is under maintenance".to_owned())),
            Some(code) => Err(refusal(code, &answer)),
            None => Err(GatewayError::Unreadable("it has no result".to_owned())),
        }
    }
}

fn transaction(body: &Value) -> Option<String> {
    plain(body, "transId").filter(|text| !text.is_empty() && text != "0")
}

fn refusal(code: i64, answer: &Value) -> GatewayError {
    let message = answer["message"].as_str().unwrap_or_default();
    GatewayError::Refused(format!("MoMo says {code}: {message}"))
}

impl Gateway for Momo {
    fn begin<'a>(&'a self, payment: &'a Payment) -> Answering<'a, Begun> {
        Box::pin(self.create(payment))
    }

    fn hear(&self, call: Call<'_>, _: Timestamp) -> Result<String, Refusal> {
        let body: Value = serde_json::from_slice(call.raw)
            .map_err(|_| Refusal::Malformed("it is no notification of MoMo"))?;
        let raw = raw(&self.settings.access_key, &body, &NOTIFIED)
            .ok_or(Refusal::Malformed("it lacks a field that is signed"))?;
        let signature = from_hexadecimal(body["signature"].as_str().unwrap_or_default())?;
        let ours = |key: &_| hmac_sha256(key, raw.as_bytes());
        if !self.settings.secret_keys.sign_as(&signature, ours) {
            return Err(Refusal::Wrong);
        }
        let part = |name| plain(&body, name).unwrap_or_default();
        let [order, request, transaction, code, amount] =
            ["orderId", "requestId", "transId", "resultCode", "amount"].map(part);
        Ok(event_key(&[&order, &request, &transaction, &code, &amount]))
    }

    fn read(&self, raw: &[u8]) -> Message {
        let Ok(body) = serde_json::from_slice::<Value>(raw) else {
            return Message::Refused("it is no notification of MoMo".to_owned());
        };
        if body["partnerCode"].as_str() != Some(&self.settings.partner_code) {
            return Message::Refused("it is for another partner".to_owned());
        }
        let Some(payment) = body["orderId"].as_str().and_then(by_order) else {
            return Message::Nothing("it is not about a payment of ours".to_owned());
        };
        let amount = body["amount"].as_i64().and_then(dong);
        let (Some(code), Some(amount)) = (body["resultCode"].as_i64(), amount) else {
            return Message::Refused("it has no result or no amount".to_owned());
        };
        let message = body["message"].as_str().unwrap_or_default();
        Message::Proof(Report {
            transaction: transaction(&body),
            ..Report::of(payment, standing(code, message), amount)
        })
    }

    fn ask<'a>(&'a self, payment: &'a Payment, _: Timestamp) -> Answering<'a, Report> {
        Box::pin(self.question(payment))
    }

    fn refund<'a>(
        &'a self,
        payment: &'a Payment,
        refund: &'a Refund,
        _: Timestamp,
    ) -> Answering<'a, Sent> {
        Box::pin(self.send_back(payment, refund))
    }
}
