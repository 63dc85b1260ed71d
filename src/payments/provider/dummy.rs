//! Nobody: the customer says that it was paid, and it is believed. For trying out, and for what is
//! free at first; only where the settings enable it.

use jiff::Timestamp;

use super::Answering;
use super::Begun;
use super::Call;
use super::Gateway;
use super::Refusal;
use super::Sent;
use crate::payments::error::GatewayError;
use crate::payments::payment::Payment;
use crate::payments::payment::State;
use crate::payments::refund::Refund;
use crate::payments::report::Message;
use crate::payments::report::Report;
use crate::payments::report::Standing;

#[derive(Clone, Copy, Debug)]
pub(in crate::payments) struct Dummy;

impl Gateway for Dummy {
    fn begin<'a>(&'a self, payment: &'a Payment) -> Answering<'a, Begun> {
        let back = payment.return_url.clone();
        Box::pin(async move { Ok(Begun { redirect_url: back, session: None }) })
    }

    fn hear(&self, _: Call<'_>, _: Timestamp) -> Result<String, Refusal> {
        Err(Refusal::Unsigned)
    }

    fn read(&self, _: &[u8]) -> Message {
        Message::Nothing("nobody sends notifications here".to_owned())
    }

    /// What we know ourselves.
    fn ask<'a>(&'a self, payment: &'a Payment, _: Timestamp) -> Answering<'a, Report> {
        Box::pin(async move {
            let paid = payment.state == State::Paid;
            let standing = if paid { Standing::Settled } else { Standing::Pending };
            Ok(Report::of(payment.id, standing, payment.amount))
        })
    }

    fn refund<'a>(&'a self, _: &'a Payment, _: &'a Refund, _: Timestamp) -> Answering<'a, Sent> {
        Box::pin(async { Ok::<_, GatewayError>(Sent::Done) })
    }
}
