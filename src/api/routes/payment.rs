//! A payment as it is told, and sums as they are asked for.

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::catalog::Money;
use crate::api::problem::Problem;
use crate::model;
use crate::model::money::Currency;
use crate::model::platform::PaymentProvider;
use crate::payments;
use crate::payments::Subject;

/// Who takes money.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Provider {
    Midtrans,
    Stripe,
    Vnpay,
    Momo,
    /// A transfer to the bank, which an operator records.
    Manual,
    /// Nobody: the customer says that it was paid.
    Dummy,
}

impl From<PaymentProvider> for Provider {
    fn from(provider: PaymentProvider) -> Self {
        match provider {
            PaymentProvider::Midtrans => Self::Midtrans,
            PaymentProvider::Stripe => Self::Stripe,
            PaymentProvider::Vnpay => Self::Vnpay,
            PaymentProvider::Momo => Self::Momo,
            PaymentProvider::Manual => Self::Manual,
            PaymentProvider::Dummy => Self::Dummy,
        }
    }
}

impl From<Provider> for PaymentProvider {
    fn from(provider: Provider) -> Self {
        match provider {
            Provider::Midtrans => Self::Midtrans,
            Provider::Stripe => Self::Stripe,
            Provider::Vnpay => Self::Vnpay,
            Provider::Momo => Self::Momo,
            Provider::Manual => Self::Manual,
            Provider::Dummy => Self::Dummy,
        }
    }
}

/// Where a payment stands.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = PaymentStatus)]
pub(super) enum Status {
    /// No provider knows it yet.
    New,
    /// It can be paid, or waits for a second person.
    Pending,
    /// The money is in the wallet.
    Paid,
    Failed,
    Expired,
}

impl From<payments::State> for Status {
    fn from(state: payments::State) -> Self {
        match state {
            payments::State::New => Self::New,
            payments::State::Pending => Self::Pending,
            payments::State::Paid => Self::Paid,
            payments::State::Failed => Self::Failed,
            payments::State::Expired => Self::Expired,
        }
    }
}

impl From<Status> for payments::State {
    fn from(status: Status) -> Self {
        match status {
            Status::New => Self::New,
            Status::Pending => Self::Pending,
            Status::Paid => Self::Paid,
            Status::Failed => Self::Failed,
            Status::Expired => Self::Expired,
        }
    }
}

/// A payment.
#[derive(Serialize, ToSchema)]
pub(super) struct Payment {
    id: Uuid,
    tenant: String,
    provider: Provider,
    amount: Money,
    /// The order that waits for it; absent for a top-up.
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<Uuid>,
    status: Status,
    /// Whether the money came when it was not waited for any more: it is in the wallet, and started
    /// nothing.
    late: bool,
    /// Where to pay.
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect_url: Option<String>,
    /// What went back of it so far.
    returned: Money,
    created_at: Timestamp,
    /// Until then it can be paid.
    payable_until: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    paid_at: Option<Timestamp>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl From<payments::Payment> for Payment {
    fn from(payment: payments::Payment) -> Self {
        let returned = payment.amount.minor - payment.left().minor;
        Self {
            id: payment.id,
            tenant: payment.customer.to_string(),
            provider: payment.provider.into(),
            amount: payment.amount.into(),
            order: match payment.subject {
                Subject::Order(order) => Some(order),
                Subject::TopUp => None,
            },
            status: payment.state.into(),
            late: payment.late,
            redirect_url: payment.redirect_url.filter(|_| payment.state.is_open()),
            returned: model::money::Money::new(returned, payment.amount.currency).into(),
            created_at: payment.created_at,
            payable_until: payment.payable_until,
            paid_at: payment.paid_at,
            why: payment.why,
        }
    }
}

/// An amount in whole minor units: `{"amount": 1999, "currency": "USD"}` is 19.99 USD.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Sum {
    #[schema(minimum = 1, maximum = 100_000_000_000_i64)]
    amount: i64,
    /// ISO 4217.
    currency: String,
    /// How many decimal digits the minor unit has; where it is said it has to be right.
    exponent: Option<u32>,
}

/// More than anybody pays at once, in minor units; far from where sums overflow.
const LARGEST: i64 = 100_000_000_000;

impl Sum {
    /// The amount, above zero.
    pub(super) fn read(self) -> Result<model::money::Money, Problem> {
        let currency: Currency = self.currency.parse().map_err(|error| {
            Problem::field("amount.currency", format!("{error}"), "write such as `USD`")
        })?;
        let digits = currency.digits();
        if self.exponent.is_some_and(|exponent| exponent != digits) {
            let message = format!("{currency} has {digits} decimals");
            return Err(Problem::field("amount.exponent", message, "correct it, or leave it out"));
        }
        if !(1..=LARGEST).contains(&self.amount) {
            let message = format!("an amount is from 1 to {LARGEST} in minor units");
            return Err(Problem::field("amount.amount", message, "write another amount"));
        }
        Ok(model::money::Money::new(self.amount, currency))
    }
}
