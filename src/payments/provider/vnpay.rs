//! `VNPay` 2.1.0: an address to pay at, a notification by GET, and a question (`querydr`).
//!
//! Amounts are hundredths of a dong on the wire, times are those of Vietnam. What is signed is the
//! query itself, sorted, as a form is encoded: a space is `+`. (sandbox.vnpayment.vn/apis/docs.)

use std::collections::BTreeMap;

use axum::body::Bytes;
use form_urlencoded::Serializer;
use form_urlencoded::byte_serialize;
use http::Method;
use http::Request;
use http::header;
use http_body_util::Full;
use jiff::Timestamp;
use jiff::tz::Offset;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

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
use super::signing::hmac_sha512;
use crate::billing::wire;
use crate::model::money::Money;
use crate::payments::error::GatewayError;
use crate::payments::http::Base;
use crate::payments::http::Http;
use crate::payments::payment::Payment;
use crate::payments::payment::by_order;
use crate::payments::refund::Refund;
use crate::payments::report::Message;
use crate::payments::report::Report;
use crate::payments::report::Standing;

const VERSION: &str = "2.1.0";
/// Whoever pays is behind a browser: what `VNPay` wants here is any address.
const ADDRESS: &str = "127.0.0.1";

/// How we are known at `VNPay`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// `vnp_TmnCode`.
    pub terminal: String,
    pub hash_secrets: Keys,
    #[serde(default = "pay")]
    pub pay_url: Base,
    #[serde(default = "api")]
    pub api_url: Base,
}

fn pay() -> Base {
    "https://pay.vnpay.vn/vpcpay.html".parse().expect("because it is an address")
}

fn api() -> Base {
    "https://merchant.vnpay.vn/merchant_webapi/api/transaction"
        .parse()
        .expect("because it is an address")
}

#[derive(Clone, Debug)]
pub(in crate::payments) struct Vnpay {
    pub(in crate::payments) settings: Settings,
    pub(in crate::payments) http: Http,
}

/// `yyyyMMddHHmmss` in Vietnam.
fn stamp(time: Timestamp) -> String {
    Offset::constant(7).to_datetime(time).strftime("%Y%m%d%H%M%S").to_string()
}

/// What of a query is signed: every `vnp_` but the hash itself, in order, as `as_sent` has it or
/// encoded anew.
fn canonical(query: &str, anew: bool) -> Result<String, Refusal> {
    let mut pairs: Vec<(&str, &str)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| name.starts_with("vnp_"))
        .filter(|(name, _)| !["vnp_SecureHash", "vnp_SecureHashType"].contains(name))
        .collect();
    pairs.sort_unstable();
    if pairs.windows(2).any(|two| two[0].0 == two[1].0) {
        return Err(Refusal::Malformed("a parameter comes twice"));
    }
    let encoded = |text: &str| -> String {
        if !anew {
            return text.to_owned();
        }
        let decoded = form_urlencoded::parse(text.as_bytes()).next();
        let decoded = decoded.map(|(name, _)| name.into_owned()).unwrap_or_default();
        byte_serialize(decoded.as_bytes()).collect()
    };
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    Ok(pairs.join("&"))
}

fn fields(query: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// What a notification, or an answer, says about a payment.
fn report(
    payment: Uuid,
    field: impl Fn(&str) -> String,
    code: &str,
) -> Result<Report, &'static str> {
    let dong = "VND".parse().map_err(|_| "the dong is not known")?;
    let hundredths: i64 = field("vnp_Amount").parse().map_err(|_| "`vnp_Amount` is no number")?;
    if hundredths % 100 != 0 {
        return Err("`vnp_Amount` is not in hundredths of a dong");
    }
    let (status, reference) = (field("vnp_TransactionStatus"), field("vnp_TransactionNo"));
    let standing = match (code, status.as_str()) {
        // Both have to say so.
        ("00", "00") => Standing::Settled,
        ("00", "01") => Standing::Pending,
        _ => Standing::Failed(format!("VNPay says {code} and {status}")),
    };
    let amount = Money::new(hundredths / 100, dong);
    let transaction = Some(reference).filter(|text| !text.is_empty() && text != "0");
    Ok(Report { transaction, ..Report::of(payment, standing, amount) })
}

impl Vnpay {
    fn sign(&self, message: &str) -> String {
        hexadecimal(&hmac_sha512(self.settings.hash_secrets.first(), message.as_bytes()))
    }

    /// Where the customer pays. Nobody needs to be asked for it.
    fn address(&self, payment: &Payment) -> Result<String, GatewayError> {
        let back = payment.return_url.clone();
        let back = back.ok_or_else(no_way_back)?;
        if payment.amount.currency.code() != "VND" {
            return Err(GatewayError::Refused("VNPay takes dong".to_owned()));
        }
        let parameters = BTreeMap::from([
            ("vnp_Amount", wire::hundredths(payment.amount)?.to_string()),
            ("vnp_Command", "pay".to_owned()),
            ("vnp_CreateDate", stamp(payment.created_at)),
            ("vnp_CurrCode", "VND".to_owned()),
            ("vnp_ExpireDate", stamp(payment.payable_until)),
            ("vnp_IpAddr", ADDRESS.to_owned()),
            ("vnp_Locale", "vn".to_owned()),
            ("vnp_OrderInfo", format!("Thanh toan {}", payment.order())),
            ("vnp_OrderType", "other".to_owned()),
            ("vnp_ReturnUrl", back),
            ("vnp_TmnCode", self.settings.terminal.clone()),
            ("vnp_TxnRef", payment.order()),
            ("vnp_Version", VERSION.to_owned()),
        ]);
        let query = Serializer::new(String::new()).extend_pairs(&parameters).finish();
        let hash = self.sign(&query);
        Ok(format!("{}?{query}&vnp_SecureHash={hash}", self.settings.pay_url))
    }

    async fn question(&self, payment: &Payment, now: Timestamp) -> Result<Report, GatewayError> {
        let id = Uuid::now_v7().simple().to_string();
        let (order, info) = (payment.order(), format!("Hoi {}", payment.order()));
        let (paid_on, asked_on) = (stamp(payment.created_at), stamp(now));
        let terminal = self.settings.terminal.as_str();
        let signed =
            [&id, VERSION, "querydr", terminal, &order, &paid_on, &asked_on, ADDRESS, &info];
        let body = serde_json::json!({
            "vnp_RequestId": id,
            "vnp_Version": VERSION,
            "vnp_Command": "querydr",
            "vnp_TmnCode": terminal,
            "vnp_TxnRef": order,
            "vnp_OrderInfo": info,
            "vnp_TransactionDate": paid_on,
            "vnp_CreateDate": asked_on,
            "vnp_IpAddr": ADDRESS,
            "vnp_SecureHash": self.sign(&signed.join("|")),
        });
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.settings.api_url.to_string())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|error| GatewayError::Refused(error.to_string()))?;
        let answer: Value = self.http.send(request).await?.json()?;
        self.answered(payment, &answer)
    }

    /// Reads the answer to a question; it is signed, too.
    fn answered(&self, payment: &Payment, answer: &Value) -> Result<Report, GatewayError> {
        const SIGNED: [&str; 15] = [
            "vnp_ResponseId",
            "vnp_Command",
            "vnp_ResponseCode",
            "vnp_Message",
            "vnp_TmnCode",
            "vnp_TxnRef",
            "vnp_Amount",
            "vnp_BankCode",
            "vnp_PayDate",
            "vnp_TransactionNo",
            "vnp_TransactionType",
            "vnp_TransactionStatus",
            "vnp_OrderInfo",
            "vnp_PromotionCode",
            "vnp_PromotionAmount",
        ];
        let field = |name: &str| match &answer[name] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let code = field("vnp_ResponseCode");
        // 91: nobody has tried to pay it yet. It may come unsigned.
        if code == "91" {
            return Ok(Report::of(payment.id, Standing::Pending, payment.amount));
        }
        let unreadable = |why: &str| GatewayError::Unreadable(why.to_owned());
        let signed = SIGNED.map(field).join("|");
        let signature = from_hexadecimal(&field("vnp_SecureHash"));
        let signature = signature.map_err(|_| unreadable("it is not signed"))?;
        let ours = |key: &_| hmac_sha512(key, signed.as_bytes());
        if !self.settings.hash_secrets.sign_as(&signature, ours) {
            return Err(unreadable("it is not signed by a key that we share"));
        }
        if code != "00" {
            return Err(GatewayError::Away(format!("VNPay answers with {code}")));
        }
        if field("vnp_TxnRef") != payment.order() {
            return Err(unreadable("it is about another payment"));
        }
        report(payment.id, field, &code).map_err(unreadable)
    }
}

impl Gateway for Vnpay {
    fn begin<'a>(&'a self, payment: &'a Payment) -> Answering<'a, Begun> {
        Box::pin(
            async move { Ok(Begun { redirect_url: Some(self.address(payment)?), session: None }) },
        )
    }

    fn hear(&self, call: Call<'_>, _: Timestamp) -> Result<String, Refusal> {
        let query =
            std::str::from_utf8(call.raw).map_err(|_| Refusal::Malformed("it is no query"))?;
        let sent = fields(query);
        let field = |name: &str| sent.get(name).map_or("", String::as_str);
        let signature = from_hexadecimal(field("vnp_SecureHash"))?;
        // As it was sent; and, because encoders differ in a few letters, as we would encode it.
        let forms = [canonical(query, false)?, canonical(query, true)?];
        let ours = forms.iter().any(|form| {
            let sign = |key: &_| hmac_sha512(key, form.as_bytes());
            self.settings.hash_secrets.sign_as(&signature, sign)
        });
        if !ours {
            return Err(Refusal::Wrong);
        }
        Ok(event_key(&[
            field("vnp_TxnRef"),
            field("vnp_TransactionNo"),
            field("vnp_ResponseCode"),
            field("vnp_TransactionStatus"),
            field("vnp_Amount"),
        ]))
    }

    fn read(&self, raw: &[u8]) -> Message {
        let sent = fields(&String::from_utf8_lossy(raw));
        let field = |name: &str| sent.get(name).cloned().unwrap_or_default();
        if field("vnp_TmnCode") != self.settings.terminal {
            return Message::Refused("it is for another terminal".to_owned());
        }
        let Some(payment) = by_order(&field("vnp_TxnRef")) else {
            return Message::Nothing("it is not about a payment of ours".to_owned());
        };
        match report(payment, field, &field("vnp_ResponseCode")) {
            Ok(report) => Message::Proof(report),
            Err(why) => Message::Refused(why.to_owned()),
        }
    }

    fn ask<'a>(&'a self, payment: &'a Payment, now: Timestamp) -> Answering<'a, Report> {
        Box::pin(self.question(payment, now))
    }

    /// A refund there has no name that would make it once, and is switched on by contract.
    fn sends_back(&self) -> bool {
        false
    }

    fn refund<'a>(&'a self, _: &'a Payment, _: &'a Refund, _: Timestamp) -> Answering<'a, Sent> {
        Box::pin(async { Err(GatewayError::Unable("VNPay")) })
    }
}
