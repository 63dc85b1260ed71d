//! The published vectors of each provider's notifications, and what must not pass for one.
//! Where a provider prints no key, the key is ours and the result computed.

use http::HeaderMap;
use jiff::Timestamp;
use serde_json::json;

use super::Call;
use super::Gateway;
use super::Refusal;
use super::midtrans::Midtrans;
use super::momo::Momo;
use super::stripe::Stripe;
use super::vnpay::Vnpay;
use crate::payments::http::Http;
use crate::payments::payment::by_order;
use crate::payments::payment::order;
use crate::payments::report::Message;
use crate::payments::report::Standing;

fn call<'a>(headers: &'a HeaderMap, raw: &'a [u8]) -> Call<'a> {
    Call { headers, raw }
}

fn heard(gateway: &dyn Gateway, raw: &str) -> Result<String, Refusal> {
    gateway.hear(call(&HeaderMap::new(), raw.as_bytes()), Timestamp::UNIX_EPOCH)
}

fn http() -> Http {
    Http::open().unwrap()
}

fn midtrans() -> Midtrans {
    let keys = json!({ "serverKeys": ["an older key of ours", "askvnoibnosifnboseofinbofinfgbiufglnbfg"] });
    Midtrans { settings: serde_json::from_value(keys).unwrap(), http: http() }
}

const MIDTRANS: &str = "edc076b21793ebe3e17926350f5b8ae67d902fe657b3d0aa31b932d5c127e2375d308a2bc94f3265ac2d80a1f181a79b997ac178a236fcff35af263fc4d4c231";
const MIDTRANS_WITHOUT_DECIMALS: &str = "5f363520e86c10c2ea14074cd09dc1d67299633558abe291ded95a16908f9ec5071e982c289c3333bcbcfe62dd8e78ae4c3d3bd92191707ba2e91f7169d8411a";

fn midtrans_says(order: &str, code: &str, amount: &str, status: &str, signature: &str) -> String {
    json!({
        "order_id": order, "status_code": code, "gross_amount": amount,
        "transaction_status": status, "transaction_id": "t", "signature_key": signature,
    })
    .to_string()
}

#[test]
fn midtrans_signs_the_strings_as_they_are() {
    let heard = |amount: &str, signature: &str| {
        heard(&midtrans(), &midtrans_says("1111", "200", amount, "settlement", signature))
    };
    assert!(heard("100000.00", MIDTRANS).is_ok());
    assert!(heard("100000", MIDTRANS_WITHOUT_DECIMALS).is_ok());
    assert_eq!(heard("100000", MIDTRANS), Err(Refusal::Wrong));
    assert_eq!(heard("100000.00", MIDTRANS_WITHOUT_DECIMALS), Err(Refusal::Wrong));
    assert!(heard("100000.00", &MIDTRANS.to_uppercase()).is_ok());
    assert_eq!(heard("100000.00", ""), Err(Refusal::Unsigned));
    assert_eq!(heard("100000.00", &MIDTRANS[..126]), Err(Refusal::Wrong));
    assert!(matches!(heard("100000.00", "no digits"), Err(Refusal::Malformed(_))));
}

#[test]
fn an_edited_status_of_midtrans_verifies_and_so_proves_nothing() {
    let edited = midtrans_says("1111", "200", "100000.00", "settlement", MIDTRANS);
    let genuine = midtrans_says("1111", "200", "100000.00", "cancel", MIDTRANS);
    assert!(heard(&midtrans(), &edited).is_ok() && heard(&midtrans(), &genuine).is_ok());
    // All that is taken from it is which payment to ask about.
    let name = order(uuid::Uuid::from_u128(7));
    let about_ours = midtrans_says(&name, "200", "100000.00", "settlement", MIDTRANS);
    let hint = Message::Hint(by_order(&name).unwrap());
    assert_eq!(midtrans().read(about_ours.as_bytes()), hint);
    assert!(matches!(midtrans().read(edited.as_bytes()), Message::Nothing(_)));
}

#[test]
fn what_midtrans_signs_cannot_be_cut_elsewhere() {
    // `1111` + `200` + … is signed as `111` + `1200` + … is.
    let cut = midtrans_says("111", "1200", "100000.00", "settlement", MIDTRANS);
    assert!(matches!(heard(&midtrans(), &cut), Err(Refusal::Malformed(_))));
    let cut = midtrans_says("11112", "001", "00000.00", "settlement", MIDTRANS);
    // It verifies; what it names is nobody's payment, because ours have one length and an end.
    assert!(heard(&midtrans(), &cut).is_ok());
    assert!(matches!(midtrans().read(cut.as_bytes()), Message::Nothing(_)));
}

const SECRET: &str = "whsec_test_secret";
const TIME: i64 = 1_492_774_577;
const EVENT: &str = r#"{"id":"evt_test_webhook","object":"event"}"#;
const STRIPE: &str = "88a022085c6bdb887b02cb26ff76dd681234d9675c0f22844059f55552a8883a";

fn stripe(secrets: &[&str]) -> Stripe {
    let keys =
        json!({ "secretKeys": ["sk_test_of_nobody"], "webhookSecrets": secrets, "live": false });
    Stripe { settings: serde_json::from_value(keys).unwrap(), http: http() }
}

fn stripe_heard(secrets: &[&str], header: &str, raw: &str, now: i64) -> Result<String, Refusal> {
    let headers = HeaderMap::from_iter([(
        http::HeaderName::from_static("stripe-signature"),
        header.parse().unwrap(),
    )]);
    let now = Timestamp::from_second(now).unwrap();
    stripe(secrets).hear(call(&headers, raw.as_bytes()), now)
}

#[test]
fn stripe_signs_the_time_and_the_raw_body() {
    let header = format!("t={TIME},v1={STRIPE}");
    // The event of the vector is no whole event: it verifies, and cannot be read.
    let whole = Err(Refusal::Malformed("it is no event of Stripe"));
    assert_eq!(stripe_heard(&[SECRET], &header, EVENT, TIME), whole);
    let spaced = EVENT.replace(',', ", ");
    assert_eq!(stripe_heard(&[SECRET], &header, &spaced, TIME), Err(Refusal::Wrong));
    let later = format!("t={},v1={STRIPE}", TIME + 1);
    assert_eq!(stripe_heard(&[SECRET], &later, EVENT, TIME), Err(Refusal::Wrong));
    // While a secret rolls, ours are several, and so are theirs.
    assert_eq!(stripe_heard(&["whsec_of_tomorrow", SECRET], &header, EVENT, TIME), whole);
    for header in [
        format!("t={TIME},v1={},v1={STRIPE}", "00".repeat(32)),
        format!("t={TIME},v1=no digits,v1={STRIPE},v0={}", "11".repeat(32)),
    ] {
        assert_eq!(stripe_heard(&[SECRET], &header, EVENT, TIME), whole, "{header}");
    }
    for header in [
        format!("t={TIME},v0={STRIPE}"),
        format!("t={TIME},v1="),
        format!("t={TIME}"),
        format!("t={TIME},v1={}", &STRIPE[..62]),
    ] {
        assert_eq!(stripe_heard(&[SECRET], &header, EVENT, TIME), Err(Refusal::Wrong), "{header}");
    }
    for header in [format!("v1={STRIPE}"), format!("t=now,v1={STRIPE}"), String::new()] {
        let refused = stripe_heard(&[SECRET], &header, EVENT, TIME);
        assert!(matches!(refused, Err(Refusal::Malformed(_))), "{header}");
    }
    let unsigned = stripe(&[SECRET]).hear(call(&HeaderMap::new(), b"{}"), Timestamp::UNIX_EPOCH);
    assert_eq!(unsigned, Err(Refusal::Unsigned));
}

#[test]
fn a_secret_of_stripe_is_used_as_it_is() {
    // Standard Webhooks decodes what follows the prefix; whoever does so here is refused.
    let header = format!("t={TIME},v1={STRIPE}");
    assert_eq!(stripe_heard(&["test_secret_"], &header, EVENT, TIME), Err(Refusal::Wrong));
}

#[test]
fn what_stripe_signed_long_ago_or_in_the_future_is_stale() {
    let header = format!("t={TIME},v1={STRIPE}");
    for (now, stale) in
        [(TIME - 301, true), (TIME - 300, false), (TIME + 300, false), (TIME + 301, true)]
    {
        let refused = stripe_heard(&[SECRET], &header, EVENT, now);
        assert_eq!(refused == Err(Refusal::Stale), stale, "{now}");
    }
}

#[test]
fn events_of_stripe_that_are_not_ours_are_told_apart() {
    let event = |kind: &str, live: bool, version: &str| {
        let event = json!({
            "id": "evt_1", "type": kind, "livemode": live, "api_version": version,
            "data": { "object": { "id": "cs_1", "client_reference_id": order(uuid::Uuid::from_u128(7)),
                "payment_status": "paid", "amount_total": 500, "currency": "usd" } },
        });
        stripe(&[SECRET]).read(event.to_string().as_bytes())
    };
    let completed = "checkout.session.completed";
    let Message::Proof(report) = event(completed, false, "2024-06-20") else { unreachable!() };
    assert_eq!(
        (report.standing, report.amount.unwrap().to_string()),
        (Standing::Settled, "5.00 USD".into())
    );
    assert!(matches!(event(completed, true, "2024-06-20"), Message::Refused(_)));
    assert!(matches!(event(completed, false, "2014-01-01"), Message::Refused(_)));
    assert!(matches!(event("customer.created", false, "2024-06-20"), Message::Nothing(_)));
}

const VNPAY_SECRET: &str = "TESTSECRETTESTSECRETTESTSECRET12";
const VNPAY: &str = "vnp_Amount=1000000&vnp_BankCode=NCB&vnp_BankTranNo=VNP14226112&vnp_CardType=ATM&vnp_OrderInfo=Thanh+toan+don+hang+thoi+gian%3A+2023-12-07+17%3A00%3A44&vnp_PayDate=20231207170112&vnp_ResponseCode=00&vnp_TmnCode=CTTVNP01&vnp_TransactionNo=14226112&vnp_TransactionStatus=00&vnp_TxnRef=166117";
const VNPAY_HASH: &str = "f4e05a4e8f21a363e220aaee9df4dc63bea25f4202bd5de7dbb91cb920fa3736b00e2e9d2968312f4a7f20353f75efe1c055f8de80f190c46bb217c3883fc130";
const VNPAY_PERCENT_HASH: &str = "507121ed06ed79c7966a56d6946dbcda8bd7a9f8da559605488220f408c70afb002951ee6efe641ed1d8dd45457a816fd867a53ab6950b7324350332f5ea6a6f";

fn vnpay() -> Vnpay {
    let settings = json!({ "terminal": "CTTVNP01", "hashSecrets": [VNPAY_SECRET] });
    Vnpay { settings: serde_json::from_value(settings).unwrap(), http: http() }
}

#[test]
fn vnpay_signs_the_sorted_query_as_a_form_is_encoded() {
    let signed =
        |query: &str, hash: &str| heard(&vnpay(), &format!("{query}&vnp_SecureHash={hash}"));
    assert!(signed(VNPAY, VNPAY_HASH).is_ok());
    // In any order, and with the type of the hash that older versions send.
    let mut pairs: Vec<&str> = VNPAY.split('&').collect();
    pairs.reverse();
    assert!(signed(&pairs.join("&"), VNPAY_HASH).is_ok());
    assert!(signed(&format!("{VNPAY}&vnp_SecureHashType=HmacSHA512&other=1"), VNPAY_HASH).is_ok());
    // What `%20` for a space gives is another hash, and none of theirs.
    assert_eq!(signed(VNPAY, VNPAY_PERCENT_HASH), Err(Refusal::Wrong));
    let percent = VNPAY.replace('+', "%20");
    // A proxy that writes the query anew does no harm: it is encoded as a form again.
    assert!(signed(&percent, VNPAY_HASH).is_ok());
    for (from, to) in [("1000000", "1000001"), ("Status=00", "Status=01"), ("166117", "166118")] {
        assert_eq!(signed(&VNPAY.replace(from, to), VNPAY_HASH), Err(Refusal::Wrong));
    }
    assert_eq!(signed(VNPAY, ""), Err(Refusal::Unsigned));
    let twice = signed(&format!("{VNPAY}&vnp_Amount=1"), VNPAY_HASH);
    assert!(matches!(twice, Err(Refusal::Malformed(_))));
}

#[test]
fn vnpay_is_paid_where_both_codes_say_so() {
    let name = order(uuid::Uuid::from_u128(7));
    for (code, status, paid) in
        [("00", "00", true), ("00", "02", false), ("24", "00", false), ("00", "", false)]
    {
        let query = VNPAY
            .replace("166117", &name)
            .replace("ResponseCode=00", &format!("ResponseCode={code}"))
            .replace("Status=00", &format!("Status={status}"));
        let Message::Proof(report) = vnpay().read(query.as_bytes()) else { unreachable!() };
        assert_eq!(report.standing.is_paid(), paid, "{code} {status}");
        assert_eq!(report.amount.unwrap().to_string(), "10000 VND");
    }
    let other = VNPAY.replace("CTTVNP01", "CTTVNP02");
    assert!(matches!(vnpay().read(other.as_bytes()), Message::Refused(_)));
}

const MOMO: &str = r#"{"orderType":"momo_wallet","amount":1000,"partnerCode":"MOMOT5BZ20231213_TEST","orderId":"Partner_Transaction_ID_1721720620078","extraData":"eyJza3VzIjoiIn0=","transId":4088878653,"responseTime":1721720663942,"resultCode":0,"message":"Successful.","payType":"qr","requestId":"Request_ID_1721720620078","orderInfo":"Thank you for your purchase at MoMo_test"}"#;
const MOMO_SIGNATURE: &str = "dc147201954d289b7094ea27d0a9c70f14593818d02b1df75ff00aff64075413";

fn momo() -> Momo {
    let settings = json!({
        "partnerCode": "MOMOT5BZ20231213_TEST", "accessKey": "TESTACCESSKEY", "secretKeys": ["TESTSECRETKEY"],
    });
    let settings = serde_json::from_value(settings).unwrap();
    Momo { settings, notify_url: "https://portal.example".to_owned(), http: http() }
}

fn momo_heard(change: impl FnOnce(&mut serde_json::Value)) -> Result<String, Refusal> {
    let mut body: serde_json::Value = serde_json::from_str(MOMO).unwrap();
    body["signature"] = MOMO_SIGNATURE.into();
    change(&mut body);
    heard(&momo(), &body.to_string())
}

#[test]
fn momo_signs_thirteen_fields_in_its_order() {
    assert!(momo_heard(|_| {}).is_ok());
    // What is new in the body is not signed, and does no harm.
    assert!(momo_heard(|body| body["paymentOption"] = "momo".into()).is_ok());
    assert!(momo_heard(|body| body["accessKey"] = "another".into()).is_ok());
    for (field, value) in
        [("amount", json!(1001)), ("resultCode", json!(9000)), ("message", json!("Successful"))]
    {
        assert_eq!(momo_heard(|body| body[field] = value), Err(Refusal::Wrong), "{field}");
    }
    assert_eq!(momo_heard(|body| body["signature"] = "".into()), Err(Refusal::Unsigned));
    let lacks = momo_heard(|body| body["payType"] = serde_json::Value::Null);
    assert!(matches!(lacks, Err(Refusal::Malformed(_))));
}

#[test]
fn what_momo_only_authorised_is_not_paid() {
    for (code, standing) in
        [(0, Standing::Settled), (9000, Standing::Authorised), (1000, Standing::Pending)]
    {
        let mut body: serde_json::Value = serde_json::from_str(MOMO).unwrap();
        body["orderId"] = order(uuid::Uuid::from_u128(7)).into();
        body["resultCode"] = code.into();
        let Message::Proof(report) = momo().read(body.to_string().as_bytes()) else {
            unreachable!()
        };
        assert_eq!((report.standing, report.amount.unwrap().minor), (standing, 1000));
    }
    let other = MOMO.replace("MOMOT5BZ20231213_TEST", "SOMEBODY_ELSE");
    assert!(matches!(momo().read(other.as_bytes()), Message::Refused(_)));
}
