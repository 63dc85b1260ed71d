//! What is known about a subscription when it is decided what is due.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::billing::calendar::Anchor;
use crate::billing::calendar::Stretch;
use crate::model::SubscriptionId;
use crate::model::money::Money;
use crate::model::platform::Lifecycle;

/// When a customer wants to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancellation {
    Now,
    /// When what is paid for ends.
    AtEnd,
}

/// The invoice for the days from `start` on, final and not paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenInvoice {
    pub id: Uuid,
    pub start: Date,
    pub total: Money,
    /// It reached the customer.
    pub delivered: bool,
}

/// A change of package that waits for the end of what is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingChange {
    pub id: Uuid,
    pub effective: Date,
}

/// How the last backup before the end stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinalBackup {
    Missing,
    /// Asked for, or made and not yet verified.
    Running,
    /// It is stored, and was read back.
    Verified,
    /// The package says that its data is not saved.
    NotAsked,
}

/// A commit has removed the subscription; what its policy keeps is kept for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removal {
    /// The day of the commit that removed it.
    pub on: Date,
    /// The first day on which nothing has to be kept any longer.
    pub retained_until: Date,
}

/// What is known. All days are those of `zone`.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Facts<'a> {
    pub subscription: &'a SubscriptionId,
    pub zone: &'a TimeZone,
    pub anchor: &'a Anchor,
    pub lifecycle: &'a Lifecycle,
    /// The first day that is not paid for, by the terms that were bought; none for what has no end.
    pub paid_until: Option<Date>,
    /// The last day that the document says is paid for.
    pub written_through: Option<Date>,
    /// The day of the commit that holds it as `overdue`, while that hold stands.
    pub overdue_since: Option<Date>,
    /// What runs now is a trial.
    pub trial: bool,
    /// The customer lets us renew from the wallet.
    pub renews: bool,
    /// The customer has paid for, or asked for, the renewal.
    pub renewal_wanted: bool,
    pub cancelled: Option<Cancellation>,
    pub change: Option<WaitingChange>,
    /// What may be spent of the wallet.
    pub wallet: Money,
    /// A payment was begun and may still arrive.
    pub payment_in_flight: bool,
    /// The gateway was asked today whether a payment has arrived; true where none is to be asked.
    pub gateway_asked: bool,
    pub invoice: Option<OpenInvoice>,
    /// An operator keeps it from being suspended.
    pub exempt: bool,
    pub final_backup: FinalBackup,
    pub removal: Option<Removal>,
    /// What days cost with taxes, by the prices in force on their first; none where the price is
    /// agreed by hand.
    pub total: &'a dyn Fn(&Stretch) -> Option<Money>,
}

impl Facts<'_> {
    /// How many days before the end it counts as expiring.
    pub(super) fn notice(&self, paid_until: Date) -> i64 {
        let from = paid_until.checked_sub(self.lifecycle.expiring.span()).unwrap_or(paid_until);
        crate::billing::calendar::days_between(from, paid_until)
    }

    /// What stands in the way of suspending: a payment may be under way, nobody was asked for
    /// money in a way that reached them, or an operator says no.
    pub(super) fn suspension_is_blocked(&self, paid_until: Date) -> bool {
        let invoiced =
            self.invoice.is_some_and(|invoice| invoice.start == paid_until && invoice.delivered);
        self.payment_in_flight || self.exempt || !invoiced || !self.gateway_asked
    }
}
