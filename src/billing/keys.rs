//! Operation keys: the fixed name of an effect, by which it happens once however often it is asked
//! for. A charge is named after the operation that causes it, never after its period alone: two
//! upgrades of one day are two charges.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::de;
use uuid::Uuid;

use crate::model::SubscriptionId;
use crate::model::money::Currency;

/// The name of one operation: 1 to 200 visible ASCII characters, such as
/// `renew:acme/school:2026-03-31`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct OperationKey(String);

/// What was given where an [`OperationKey`] belongs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an operation key: use 1 to 200 visible ASCII characters without blanks")]
pub struct InvalidKey(String);

impl OperationKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The renewal of a subscription by the term that starts on a day.
    pub fn renewal(subscription: &SubscriptionId, start: Date) -> Self {
        Self(format!("renew:{subscription}:{start}"))
    }

    /// The invoice of the term that starts on a day.
    pub fn invoice(subscription: &SubscriptionId, start: Date) -> Self {
        Self(format!("invoice:{subscription}:{start}"))
    }

    /// The proration of one change; the change has an id of its own.
    pub fn proration(subscription: &SubscriptionId, change: Uuid) -> Self {
        Self(format!("prorate:{subscription}:{change}"))
    }

    /// A mail about an invoice or a subscription, on a day counted from the day of expiry.
    pub fn mail(about: &str, template: &str, day: i32) -> Self {
        Self(format!("mail:{about}:{template}:{day}"))
    }

    /// The suspension for an invoice that was not paid.
    pub fn suspension(subscription: &SubscriptionId, invoice: Uuid) -> Self {
        Self(format!("suspend:{subscription}:{invoice}"))
    }

    /// What a subscription earned on a day.
    pub fn recognition(subscription: &SubscriptionId, currency: Currency, day: Date) -> Self {
        Self(format!("recognise:{subscription}:{currency}:{day}"))
    }

    /// Any other effect that a subscription has on a day, such as its removal.
    pub fn on_day(effect: &str, subscription: &SubscriptionId, day: Date) -> Self {
        Self(format!("{effect}:{subscription}:{day}"))
    }

    /// What follows from a row that has an id, such as the capture of a hold.
    pub fn follows(effect: &str, id: Uuid) -> Self {
        Self(format!("{effect}:{id}"))
    }
}

impl FromStr for OperationKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let fits = (1..=200).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidKey(text.to_owned())) }
    }
}

impl fmt::Display for OperationKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for OperationKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn derived_effects_have_fixed_keys() {
        let school: SubscriptionId = "acme/school".parse().unwrap();
        let id = Uuid::from_u128(7);
        for (key, text) in [
            (OperationKey::renewal(&school, date(2026, 3, 31)), "renew:acme/school:2026-03-31"),
            (
                OperationKey::proration(&school, id),
                "prorate:acme/school:00000000-0000-0000-0000-000000000007",
            ),
            (OperationKey::mail("7", "expiring", -3), "mail:7:expiring:-3"),
            (
                OperationKey::suspension(&school, id),
                "suspend:acme/school:00000000-0000-0000-0000-000000000007",
            ),
        ] {
            assert_eq!(key.as_str(), text);
            assert_eq!(text.parse::<OperationKey>(), Ok(key));
        }
    }

    #[test]
    fn a_key_that_could_not_be_kept_is_refused() {
        for bad in ["", "a b", "a\n", "ключ", &"a".repeat(201)] {
            assert!(bad.parse::<OperationKey>().is_err(), "{bad}");
        }
    }
}
