//! What may be due, and the key by which each happens once.

use jiff::civil::Date;
use serde::Serialize;
use uuid::Uuid;

use super::Facts;
use crate::billing::calendar::Stretch;
use crate::billing::keys::OperationKey;

/// A mail's subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Template {
    Invoice,
    /// It will be renewed from the wallet.
    Renews,
    TrialEnds,
    Expiring,
    Expired,
    /// It is suspended and will be removed.
    Suspended,
    Ended,
}

impl Template {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::Renews => "renews",
            Self::TrialEnds => "trial-ends",
            Self::Expiring => "expiring",
            Self::Expired => "expired",
            Self::Suspended => "suspended",
            Self::Ended => "ended",
        }
    }
}

/// Something to do about a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "effect", rename_all = "camelCase")]
pub enum Effect {
    /// Quote these days, make the invoice final, deliver it.
    MakeInvoice {
        stretch: Stretch,
    },
    /// Pay this invoice from the wallet and record its days.
    Renew {
        invoice: Uuid,
    },
    /// After a suspension: undo the invoice of days that did not run, make one of these days, pay
    /// it from the wallet and record them.
    RenewFromToday {
        stretch: Stretch,
        instead_of: Option<Uuid>,
    },
    /// Commit `paidThrough`: the days are paid for.
    WritePaidThrough {
        through: Date,
    },
    /// Commit `paidThrough` although the days are not paid for, because it must not be suspended
    /// now. A renewal still begins where what is paid for ends.
    WriteCourtesy {
        through: Date,
    },
    /// Ask the gateway whether the invoice was paid, before anything is held against the customer.
    AskGateway {
        invoice: Uuid,
    },
    /// Commit the change of package that was waiting.
    ApplyChange {
        change: Uuid,
    },
    Mail {
        template: Template,
        about: Option<Uuid>,
        day: i32,
    },
    /// Commit the hold `overdue`, for this invoice.
    Suspend {
        invoice: Uuid,
    },
    /// Take away the hold `overdue`, and no other.
    LiftOverdue,
    /// Commit the task of the last backup.
    TakeFinalBackup,
    /// Commit the removal; what is kept is kept until this day.
    Remove {
        retained_until: Option<Date>,
    },
    /// Commit that nothing is kept of it any longer, its last backup included.
    Purge,
}

/// Something that is due, with the key by which it happens once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Due {
    pub key: OperationKey,
    #[serde(flatten)]
    pub effect: Effect,
}

impl Due {
    /// An effect about what is paid up to a day, or is done on it, under its fixed key.
    pub(super) fn of(facts: &Facts<'_>, effect: Effect, day: Date) -> Self {
        let subscription = facts.subscription;
        let on = |name: &str, day: Date| OperationKey::on_day(name, subscription, day);
        let key = match effect {
            Effect::MakeInvoice { stretch } => {
                OperationKey::invoice(subscription, stretch.sold.start)
            }
            Effect::Renew { .. } => OperationKey::renewal(subscription, day),
            Effect::RenewFromToday { stretch, .. } => {
                OperationKey::renewal(subscription, stretch.sold.start)
            }
            Effect::WritePaidThrough { through } => on("paid", through),
            Effect::WriteCourtesy { through } => on("courtesy", through),
            Effect::AskGateway { invoice } => OperationKey::follows(&format!("ask:{day}"), invoice),
            Effect::ApplyChange { change } => {
                OperationKey::follows(&format!("change:{subscription}"), change)
            }
            Effect::Mail { template, about: Some(invoice), day } => {
                OperationKey::mail(&invoice.to_string(), template.as_str(), day)
            }
            Effect::Mail { template, about: None, day: offset } => {
                OperationKey::mail(&format!("{subscription}:{day}"), template.as_str(), offset)
            }
            Effect::Suspend { invoice } => OperationKey::suspension(subscription, invoice),
            Effect::LiftOverdue => on("lift", day),
            Effect::TakeFinalBackup => on("final-backup", day),
            Effect::Remove { .. } => on("remove", day),
            Effect::Purge => on("purge", day),
        };
        Self { key, effect }
    }
}
