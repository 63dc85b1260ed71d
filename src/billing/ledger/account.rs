//! Accounts: what they are named, and which of them have a bound.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::model::Name;
use crate::model::SubscriptionId;

/// Who owns a wallet: an opaque id of 1 to 100 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Customer(String);

/// What was given where a [`Customer`] belongs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the id of a customer: use 1 to 100 visible ASCII characters")]
pub struct InvalidCustomer(String);

impl Customer {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Customer {
    type Err = InvalidCustomer;

    fn from_str(text: &str) -> Result<Self, InvalidCustomer> {
        let fits = (1..=100).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidCustomer(text.to_owned())) }
    }
}

impl fmt::Display for Customer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// An account; each exists once per currency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Account {
    /// A wallet: what we owe a customer. Never below zero.
    CustomerCredit(Customer),
    /// What of a wallet is set aside. Never below zero.
    Hold(Customer),
    /// Money at a payment gateway, or `manual` for transfers to the bank.
    Cash(Name),
    /// What gateways took.
    GatewayFee,
    /// Paid, and not yet delivered. Never below zero.
    DeferredRevenue(SubscriptionId),
    /// Earned with a package.
    Revenue(Name),
    TaxPayable,
    /// Given away, or taken back, by operators.
    Promo,
    /// Credit that expired unused.
    Breakage,
    ChargebackLoss,
    /// What conversions between currencies pass through.
    Exchange,
}

impl Account {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::CustomerCredit(_) => "customer_credit",
            Self::Hold(_) => "hold",
            Self::Cash(_) => "cash",
            Self::GatewayFee => "gateway_fee",
            Self::DeferredRevenue(_) => "deferred_revenue",
            Self::Revenue(_) => "revenue",
            Self::TaxPayable => "tax_payable",
            Self::Promo => "promo",
            Self::Breakage => "breakage",
            Self::ChargebackLoss => "chargeback_loss",
            Self::Exchange => "fx",
        }
    }

    pub(super) fn owner(&self) -> String {
        match self {
            Self::CustomerCredit(customer) | Self::Hold(customer) => customer.to_string(),
            Self::Cash(name) | Self::Revenue(name) => name.to_string(),
            Self::DeferredRevenue(subscription) => subscription.to_string(),
            Self::GatewayFee
            | Self::TaxPayable
            | Self::Promo
            | Self::Breakage
            | Self::ChargebackLoss
            | Self::Exchange => String::new(),
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, owner) = (self.kind(), self.owner());
        if owner.is_empty() { out.write_str(kind) } else { write!(out, "{kind}:{owner}") }
    }
}
