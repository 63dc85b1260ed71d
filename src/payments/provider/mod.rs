//! Who takes money for us, one file each, behind one trait: how a payment is begun there, by what
//! their notifications are believed, how they are asked, and how money is sent back.

pub(super) mod dummy;
pub mod midtrans;
pub mod momo;
mod signing;
pub mod stripe;
#[cfg(test)]
mod vectors;
pub mod vnpay;

use std::fmt;

use futures_util::future::BoxFuture;
use http::HeaderMap;
use jiff::Timestamp;

use super::error::GatewayError;
use super::payment::Payment;
use super::refund::Refund;
use super::report::Message;
use super::report::Report;

pub(super) type Answering<'a, T> = BoxFuture<'a, Result<T, GatewayError>>;

/// A payment that its provider knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Where the customer pays; none where nobody has to.
    pub redirect_url: Option<String>,
    /// By what the provider knows it, where that is not our name for it.
    pub session: Option<String>,
}

/// Providers send the customer back, and have to know where to.
fn no_way_back() -> GatewayError {
    GatewayError::Refused("it has to know where the customer comes back to".to_owned())
}

/// What came through a webhook, as it came.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    pub headers: &'a HeaderMap,
    /// The body, or of a GET the query.
    pub raw: &'a [u8],
}

/// Why a notification is not believed. It never says what would have been right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("it is not signed")]
    Unsigned,
    #[error("the signature is not by a key that we share")]
    Wrong,
    #[error("it was signed too long ago, or in the future")]
    Stale,
    #[error("it cannot be read: {0}")]
    Malformed(&'static str),
}

/// What became of money that is sent back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    Done,
    /// The provider has it under way, and will tell.
    UnderWay,
}

pub(super) trait Gateway: Send + Sync + fmt::Debug {
    /// Makes a payment known to the provider; doing so again gives the same one.
    fn begin<'a>(&'a self, payment: &'a Payment) -> Answering<'a, Begun>;

    /// Whether a notification is believed, and the name by which it is one event.
    fn hear(&self, call: Call<'_>, now: Timestamp) -> Result<String, Refusal>;

    /// What a notification that was believed means.
    fn read(&self, raw: &[u8]) -> Message;

    /// Asks how a payment stands.
    fn ask<'a>(&'a self, payment: &'a Payment, now: Timestamp) -> Answering<'a, Report>;

    /// Whether money can be sent back through it by itself.
    fn sends_back(&self) -> bool {
        true
    }

    /// Sends money back; the refund's id makes it once.
    fn refund<'a>(
        &'a self,
        payment: &'a Payment,
        refund: &'a Refund,
        now: Timestamp,
    ) -> Answering<'a, Sent>;
}
