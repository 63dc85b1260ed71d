//! Providers as real HTTP servers on loopback, by their documents: they check how they are spoken
//! to, know each payment under one name, and sign what they tell.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::IntoResponse as _;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;
use ring::hmac;
use serde_json::Value;
use serde_json::json;
use sha2::Digest as _;
use tenantry::model::PortalUrl;
use tenantry::model::Secret;
use tenantry::payments::settings::Providers;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) const SERVER_KEY: &str = "SB-Mid-server-of-a-test";
pub(crate) const WEBHOOK_SECRET: &str = "whsec_of_a_test";
const HASH_SECRET: &str = "HASHSECRETOFATESTHASHSECRETOFATE";
const ACCESS_KEY: &str = "ACCESSOFATEST";
const SECRET_KEY: &str = "SECRETOFATESTS";

/// A payment as its provider has it, amounts as they are on its wire.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) amount: i64,
    /// In the words of the provider.
    pub(crate) status: String,
    pub(crate) code: String,
    /// Where it is not the same for all.
    pub(crate) currency: String,
    pub(crate) fraud: Option<String>,
    pub(crate) refunds: Vec<(String, i64)>,
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) known: HashMap<String, Known>,
    /// Whether everything is answered with 503.
    pub(crate) down: bool,
    /// How often each path was asked.
    pub(crate) asked: Vec<String>,
}

/// Where the portal is, as these providers see it.
pub(crate) fn portal() -> PortalUrl {
    "https://portal.example".parse().unwrap()
}

pub(crate) struct Stub {
    pub(crate) world: Arc<Mutex<World>>,
    address: String,
    serving: JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

type Shared = Arc<Mutex<World>>;

impl Stub {
    pub(crate) async fn open() -> Self {
        let world = Shared::default();
        let router = Router::new()
            .route("/snap/v1/transactions", post(snap))
            .route("/v2/{order}/status", get(status))
            .route("/v2/{order}/refund", post(midtrans_refund))
            .route("/v1/checkout/sessions", post(checkout))
            .route("/v1/checkout/sessions/{id}", get(session))
            .route("/v1/refunds", get(refunds).post(stripe_refund))
            .route("/v2/gateway/api/create", post(create))
            .route("/v2/gateway/api/query", post(query))
            .route("/v2/gateway/api/refund", post(momo_refund))
            .route("/merchant_webapi/api/transaction", post(querydr))
            .layer(axum::middleware::from_fn_with_state(Arc::clone(&world), around))
            .with_state(Arc::clone(&world));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { world, address, serving }
    }

    /// How the daemon knows these providers.
    pub(crate) fn providers(&self) -> Providers {
        Providers::of(&Secret::new(self.settings())).unwrap()
    }

    /// What stands in its file of payments.
    pub(crate) fn settings(&self) -> String {
        let at = &self.address;
        format!(
            "midtrans: {{ serverKeys: [{SERVER_KEY}], snapUrl: '{at}', apiUrl: '{at}' }}
stripe: {{ secretKeys: [sk_test_of_a_test], webhookSecrets: [{WEBHOOK_SECRET}], live: false, apiUrl: '{at}' }}
vnpay: {{ terminal: TESTTERM, hashSecrets: [{HASH_SECRET}], payUrl: '{at}/pay', apiUrl: '{at}/merchant_webapi/api/transaction' }}
momo: {{ partnerCode: MOMOTEST, accessKey: {ACCESS_KEY}, secretKeys: [{SECRET_KEY}], apiUrl: '{at}' }}
dummy: true"
        )
    }

    /// Changes what the provider knows of a payment.
    pub(crate) fn set(&self, order: &str, change: impl FnOnce(&mut Known)) {
        change(self.world.lock().unwrap().known.entry(order.to_owned()).or_default());
    }

    pub(crate) fn paid(&self, order: &str) {
        self.set(order, |known| {
            known.status = "settlement".into();
            known.code = "200".into();
        });
    }

    pub(crate) fn known(&self, order: &str) -> Known {
        self.world.lock().unwrap().known.get(order).cloned().unwrap_or_default()
    }
}

async fn around(
    State(world): State<Shared>,
    request: axum::extract::Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let down = {
        let mut world = world.lock().unwrap();
        world.asked.push(path);
        world.down
    };
    if down { StatusCode::SERVICE_UNAVAILABLE.into_response() } else { next.run(request).await }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
}

fn hmac(algorithm: hmac::Algorithm, key: &str, message: &str) -> String {
    hex(hmac::sign(&hmac::Key::new(algorithm, key.as_bytes()), message.as_bytes()).as_ref())
}

// Midtrans.

fn is_midtrans(headers: &HeaderMap) -> bool {
    use base64::Engine as _;
    let login = base64::engine::general_purpose::STANDARD.encode(format!("{SERVER_KEY}:"));
    headers["authorization"] == format!("Basic {login}")
}

async fn snap(
    State(world): State<Shared>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if !is_midtrans(&headers) {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error_messages": ["Access denied"] })))
            .into_response();
    }
    let details = &body["transaction_details"];
    let order = details["order_id"].as_str().unwrap();
    let Some(amount) = details["gross_amount"].as_i64() else {
        return (
            StatusCode::BAD_REQUEST,
            Json(json!({ "error_messages": ["gross_amount is not a number"] })),
        )
            .into_response();
    };
    assert!(body["expiry"]["start_time"].as_str().unwrap().ends_with(" +0700"));
    world.lock().unwrap().known.entry(order.to_owned()).or_default().amount = amount;
    let url = format!("https://app.midtrans.example/snap/{order}");
    (StatusCode::CREATED, Json(json!({ "token": "t", "redirect_url": url }))).into_response()
}

/// A payment as Midtrans tells it, in answers and in notifications alike.
pub(crate) fn midtrans(order: &str, known: &Known) -> Value {
    let amount = format!("{}.00", known.amount);
    let raw = format!("{order}{}{amount}{SERVER_KEY}", known.code);
    let refunded: i64 = known.refunds.iter().map(|(_, amount)| amount).sum();
    let mut told = json!({
        "order_id": order,
        "status_code": known.code,
        "gross_amount": amount,
        "currency": "IDR",
        "transaction_status": known.status,
        "transaction_id": format!("mt-{order}"),
        "payment_type": "qris",
        "signature_key": hex(&sha2::Sha512::digest(raw)),
    });
    if let Some(fraud) = &known.fraud {
        told["fraud_status"] = fraud.as_str().into();
    }
    if refunded > 0 {
        told["refund_amount"] = format!("{refunded}.00").into();
        told["refund_key"] = known.refunds.last().unwrap().0.as_str().into();
    }
    told
}

async fn status(
    State(world): State<Shared>,
    Path(order): Path<String>,
    headers: HeaderMap,
) -> Response {
    assert!(is_midtrans(&headers));
    let world = world.lock().unwrap();
    match world.known.get(&order).filter(|known| !known.status.is_empty()) {
        Some(known) => Json(midtrans(&order, known)).into_response(),
        // As Midtrans has it: the answer is fine, and says that there is nothing.
        None => {
            Json(json!({ "status_code": "404", "status_message": "Transaction doesn't exist." }))
                .into_response()
        }
    }
}

async fn midtrans_refund(
    State(world): State<Shared>,
    Path(order): Path<String>,
    Json(body): Json<Value>,
) -> Json<Value> {
    let mut world = world.lock().unwrap();
    let known = world.known.get_mut(&order).unwrap();
    let (key, amount) = (body["refund_key"].as_str().unwrap(), body["amount"].as_i64().unwrap());
    if known.status == "capture" {
        return Json(
            json!({ "status_code": "412", "status_message": "Transaction status cannot be updated." }),
        );
    }
    if !known.refunds.iter().any(|(other, _)| other == key) {
        known.refunds.push((key.to_owned(), amount));
    }
    let refunded: i64 = known.refunds.iter().map(|(_, amount)| amount).sum();
    known.status = if refunded < known.amount { "partial_refund" } else { "refund" }.into();
    Json(midtrans(&order, known))
}

// Stripe.

fn fields(form: &str) -> HashMap<String, String> {
    form_urlencoded::parse(form.as_bytes()).into_owned().collect()
}

async fn checkout(State(world): State<Shared>, headers: HeaderMap, form: String) -> Json<Value> {
    let form = fields(&form);
    assert_eq!(headers["authorization"], "Bearer sk_test_of_a_test");
    let order = &form["client_reference_id"];
    assert_eq!(headers["idempotency-key"], order.as_str());
    assert_eq!(&form["payment_intent_data[metadata][order]"], order);
    let amount = form["line_items[0][price_data][unit_amount]"].parse().unwrap();
    let mut world = world.lock().unwrap();
    let known = world.known.entry(order.clone()).or_default();
    known.amount = amount;
    known.currency.clone_from(&form["line_items[0][price_data][currency]"]);
    Json(stripe(order, known))
}

/// A Checkout session as Stripe tells it.
pub(crate) fn stripe(order: &str, known: &Known) -> Value {
    let refunded: i64 = known.refunds.iter().map(|(_, amount)| amount).sum();
    let paid = known.status == "settlement";
    let intent =
        json!({ "id": format!("pi_{order}"), "latest_charge": { "amount_refunded": refunded } });
    json!({
        "id": format!("cs_{order}"),
        "url": format!("https://checkout.stripe.example/{order}"),
        "client_reference_id": order,
        "status": match known.status.as_str() { "settlement" => "complete", "expire" => "expired", _ => "open" },
        "payment_status": if paid { "paid" } else { "unpaid" },
        "amount_total": known.amount,
        "currency": known.currency,
        "payment_intent": if paid { intent } else { Value::Null },
    })
}

async fn session(State(world): State<Shared>, Path(id): Path<String>) -> Json<Value> {
    let order = id.strip_prefix("cs_").unwrap();
    Json(stripe(order, &world.lock().unwrap().known[order]))
}

async fn refunds(
    State(world): State<Shared>,
    Query(asked): Query<HashMap<String, String>>,
) -> Json<Value> {
    let order = asked["payment_intent"].strip_prefix("pi_").unwrap();
    let world = world.lock().unwrap();
    let listed = world.known[order].refunds.iter();
    let listed: Vec<Value> = listed
        .map(|(key, _)| json!({ "status": "succeeded", "metadata": { "refund": key } }))
        .collect();
    Json(json!({ "data": listed }))
}

async fn stripe_refund(State(world): State<Shared>, form: String) -> Json<Value> {
    let form = fields(&form);
    let order = form["payment_intent"].strip_prefix("pi_").unwrap();
    let mut world = world.lock().unwrap();
    let known = world.known.get_mut(order).unwrap();
    known.refunds.push((form["metadata[refund]"].clone(), form["amount"].parse().unwrap()));
    Json(json!({ "status": "succeeded", "metadata": { "refund": form["metadata[refund]"] } }))
}

/// An event with its header, signed at a time.
pub(crate) fn stripe_event(id: &str, kind: &str, object: &Value, at: i64) -> (String, String) {
    let event = json!({
        "id": id, "object": "event", "type": kind, "livemode": false, "api_version": "2024-06-20",
        "data": { "object": object },
    })
    .to_string();
    let signature = hmac(hmac::HMAC_SHA256, WEBHOOK_SECRET, &format!("{at}.{event}"));
    (event, format!("t={at},v1={signature}"))
}

// MoMo.

fn momo_signed(body: &Value, names: &[&str]) -> bool {
    let mut raw = format!("accessKey={ACCESS_KEY}");
    for name in names {
        let value = &body[*name];
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        raw.extend(["&", *name, "=", &value]);
    }
    body["signature"] == hmac(hmac::HMAC_SHA256, SECRET_KEY, &raw)
}

async fn create(State(world): State<Shared>, Json(body): Json<Value>) -> Json<Value> {
    let signed = [
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
    if !momo_signed(&body, &signed) {
        return Json(json!({ "resultCode": 11, "message": "Access denied." }));
    }
    assert_eq!(body["ipnUrl"], "https://portal.example/api/v1/hooks/momo");
    let order = body["orderId"].as_str().unwrap();
    let mut world = world.lock().unwrap();
    world.known.entry(order.to_owned()).or_default().amount = body["amount"].as_i64().unwrap();
    Json(
        json!({ "resultCode": 0, "orderId": order, "payUrl": format!("https://momo.example/{order}") }),
    )
}

async fn query(State(world): State<Shared>, Json(body): Json<Value>) -> Json<Value> {
    if !momo_signed(&body, &["orderId", "partnerCode", "requestId"]) {
        return Json(json!({ "resultCode": 11, "message": "Access denied." }));
    }
    let order = body["orderId"].as_str().unwrap();
    let world = world.lock().unwrap();
    let Some(known) = world.known.get(order) else {
        return Json(json!({ "resultCode": 42, "message": "Order not found." }));
    };
    let code = if known.status == "settlement" { 0 } else { 1000 };
    let refunds: Vec<Value> = known
        .refunds
        .iter()
        .map(|(key, amount)| json!({ "orderId": key, "amount": amount, "resultCode": 0 }))
        .collect();
    Json(json!({
        "resultCode": code, "message": "m", "orderId": order, "amount": known.amount,
        "transId": if code == 0 { 4_088_878_653_i64 } else { 0 }, "refundTrans": refunds,
    }))
}

async fn momo_refund(State(world): State<Shared>, Json(body): Json<Value>) -> Json<Value> {
    let signed = ["amount", "description", "orderId", "partnerCode", "requestId", "transId"];
    if !momo_signed(&body, &signed) {
        return Json(json!({ "resultCode": 11, "message": "Access denied." }));
    }
    let mut world = world.lock().unwrap();
    let known = world.known.values_mut().find(|known| known.status == "settlement").unwrap();
    let key = body["orderId"].as_str().unwrap();
    if known.refunds.iter().any(|(other, _)| other == key) {
        return Json(json!({ "resultCode": 41, "message": "Duplicated orderId." }));
    }
    known.refunds.push((key.to_owned(), body["amount"].as_i64().unwrap()));
    Json(json!({ "resultCode": 0, "message": "Successful." }))
}

/// A notification of `MoMo`.
pub(crate) fn momo(order: &str, known: &Known) -> String {
    let code = if known.status == "settlement" { 0 } else { 1006 };
    let (trans, amount) = (4_088_878_653_i64, known.amount);
    let raw = format!(
        "accessKey={ACCESS_KEY}&amount={amount}&extraData=&message=Successful.&orderId={order}&orderInfo=Thanh toán\
         &orderType=momo_wallet&partnerCode=MOMOTEST&payType=qr&requestId={order}&responseTime=1721720663942\
         &resultCode={code}&transId={trans}"
    );
    json!({
        "orderType": "momo_wallet", "amount": amount, "partnerCode": "MOMOTEST", "orderId": order,
        "extraData": "", "transId": trans, "responseTime": 1_721_720_663_942_i64, "resultCode": code,
        "message": "Successful.", "payType": "qr", "requestId": order, "orderInfo": "Thanh toán",
        "signature": hmac(hmac::HMAC_SHA256, SECRET_KEY, &raw), "paymentOption": "momo",
    })
    .to_string()
}

// VNPay.

async fn querydr(State(world): State<Shared>, body: Bytes) -> Json<Value> {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    let signed: Vec<String> = [
        "vnp_RequestId",
        "vnp_Version",
        "vnp_Command",
        "vnp_TmnCode",
        "vnp_TxnRef",
        "vnp_TransactionDate",
        "vnp_CreateDate",
        "vnp_IpAddr",
        "vnp_OrderInfo",
    ]
    .map(text)
    .to_vec();
    let right = hmac(hmac::HMAC_SHA512, HASH_SECRET, &signed.join("|"));
    if body["vnp_SecureHash"] != right {
        return Json(json!({ "vnp_ResponseCode": "97", "vnp_Message": "Invalid Checksum" }));
    }
    let order = text("vnp_TxnRef");
    let world = world.lock().unwrap();
    let Some(known) = world.known.get(&order) else {
        return Json(json!({ "vnp_ResponseCode": "91", "vnp_Message": "Transaction not found" }));
    };
    let status = if known.status == "settlement" { "00" } else { "01" };
    let amount = (known.amount * 100).to_string();
    let fields = [
        ("vnp_ResponseId", "r"),
        ("vnp_Command", "querydr"),
        ("vnp_ResponseCode", "00"),
        ("vnp_Message", "ok"),
        ("vnp_TmnCode", "TESTTERM"),
        ("vnp_TxnRef", &order),
        ("vnp_Amount", &amount),
        ("vnp_BankCode", "NCB"),
        ("vnp_PayDate", "20260101070112"),
        ("vnp_TransactionNo", "14226112"),
        ("vnp_TransactionType", "01"),
        ("vnp_TransactionStatus", status),
        ("vnp_OrderInfo", "x"),
    ];
    let mut signed: Vec<&str> = fields.iter().map(|(_, value)| *value).collect();
    signed.extend(["", ""]);
    let mut answer: Value =
        fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    answer["vnp_SecureHash"] = hmac(hmac::HMAC_SHA512, HASH_SECRET, &signed.join("|")).into();
    Json(answer)
}

/// A notification of `VNPay`: the query.
pub(crate) fn vnpay(order: &str, dong: i64, code: &str) -> String {
    let query = format!(
        "vnp_Amount={}&vnp_BankCode=NCB&vnp_OrderInfo=Thanh+toan+{order}&vnp_PayDate=20260101070112\
         &vnp_ResponseCode={code}&vnp_TmnCode=TESTTERM&vnp_TransactionNo=14226112&vnp_TransactionStatus={code}&vnp_TxnRef={order}",
        dong * 100
    );
    let hash = hmac(hmac::HMAC_SHA512, HASH_SECRET, &query);
    format!("{query}&vnp_SecureHash={hash}")
}
