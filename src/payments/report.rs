//! What a provider says about a payment, in one language for all of them.

use uuid::Uuid;

use crate::model::money::Money;

/// Where a payment stands at its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can still be paid.
    Pending,
    /// The money is set aside at the bank, and not ours yet.
    Authorised,
    /// It is ours, and may still be cancelled by either side before it settles.
    Captured,
    Settled,
    /// It will not be paid, and why.
    Failed(String),
    /// It was not paid in time.
    Expired,
}

impl Standing {
    /// What is never gone back behind; none where nothing more is expected. (Midtrans documents
    /// this order.) Partly and wholly refunded are 4 and 5.
    pub fn rank(&self) -> Option<i16> {
        match self {
            Self::Pending => Some(0),
            Self::Authorised => Some(1),
            Self::Captured => Some(2),
            Self::Settled => Some(3),
            Self::Failed(_) | Self::Expired => None,
        }
    }

    /// Whether the money is ours.
    pub fn is_paid(&self) -> bool {
        matches!(self, Self::Captured | Self::Settled)
    }
}

/// Which payment it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    Payment(Uuid),
    /// The one that has this name at the provider.
    Transaction(String),
}

/// What a provider says, and is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub which: Which,
    pub standing: Standing,
    /// The whole of the payment, where it is said.
    pub amount: Option<Money>,
    /// By what the provider knows the money.
    pub transaction: Option<String>,
    /// All that went back so far by refunds, and all that banks took; where it is said.
    pub refunded: Option<Money>,
    pub disputed: Option<Money>,
}

impl Report {
    /// Where a payment stands, and nothing went back.
    pub fn of(payment: Uuid, standing: Standing, amount: Money) -> Self {
        Self {
            which: Which::Payment(payment),
            standing,
            amount: Some(amount),
            transaction: None,
            refunded: None,
            disputed: None,
        }
    }
}

/// What an event of a provider means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// What it says is proven.
    Proof(Report),
    /// Something changed about this payment: ask what.
    Hint(Uuid),
    /// It is not for us, and why.
    Nothing(String),
    /// It is for us and cannot be acted on: somebody must look at it, and why.
    Refused(String),
}
