//! What `VNPay` is answered: it wants to know at once what we make of its notification, and calls
//! again, up to ten times, after any answer but 00 and 02.

use http::HeaderMap;
use jiff::Timestamp;
use serde::Serialize;

use super::Payments;
use super::error::PaymentError;
use super::inbox::NotTaken;
use super::inbox::Reception;
use super::payment::State;
use super::report::Message;
use super::report::Which;
use crate::model::platform::PaymentProvider;

/// An answer in the words of `VNPay`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct VnpayAnswer {
    pub rsp_code: &'static str,
    pub message: &'static str,
}

impl VnpayAnswer {
    pub const OK: Self = Self { rsp_code: "00", message: "Confirm Success" };
    pub const NOT_FOUND: Self = Self { rsp_code: "01", message: "Order not found" };
    pub const ALREADY: Self = Self { rsp_code: "02", message: "Order already confirmed" };
    pub const AMOUNT: Self = Self { rsp_code: "04", message: "Invalid amount" };
    pub const SIGNATURE: Self = Self { rsp_code: "97", message: "Invalid signature" };
    pub const FAILED: Self = Self { rsp_code: "99", message: "Unknown error" };
}

impl Payments {
    /// Takes a notification of `VNPay` and answers it: signature, payment, amount, and whether it
    /// was confirmed before, in this order. What is refused is written down all the same.
    pub async fn answer_vnpay(
        &self,
        headers: &HeaderMap,
        query: &[u8],
        now: Timestamp,
    ) -> VnpayAnswer {
        match self.receive(PaymentProvider::Vnpay, headers, query, now).await {
            Ok(reception) => match self.judge(query, reception).await {
                Ok(answer) => answer,
                Err(error) => {
                    tracing::warn!("VNPay is asked to call again: {error}");
                    VnpayAnswer::FAILED
                }
            },
            Err(NotTaken::Refused(_)) => VnpayAnswer::SIGNATURE,
            Err(NotTaken::Payment(error)) => {
                tracing::warn!("VNPay is asked to call again: {error}");
                VnpayAnswer::FAILED
            }
        }
    }

    /// What a notification that is written down will come to.
    async fn judge(&self, query: &[u8], reception: Reception) -> Result<VnpayAnswer, PaymentError> {
        let Message::Proof(report) = self.gateway(PaymentProvider::Vnpay)?.read(query) else {
            return Ok(VnpayAnswer::NOT_FOUND);
        };
        let Which::Payment(id) = report.which else { return Ok(VnpayAnswer::NOT_FOUND) };
        let payment = match self.find(id).await {
            Ok(payment) if payment.provider == PaymentProvider::Vnpay => payment,
            Ok(_) | Err(PaymentError::Missing(_)) => return Ok(VnpayAnswer::NOT_FOUND),
            Err(error) => return Err(error),
        };
        if report.amount != Some(payment.amount) {
            return Ok(VnpayAnswer::AMOUNT);
        }
        let confirmed = payment.state == State::Paid || reception == Reception::Again;
        Ok(if confirmed { VnpayAnswer::ALREADY } else { VnpayAnswer::OK })
    }
}
