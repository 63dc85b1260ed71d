//! Changing the package: up at once and paid first, down when what is paid for ends.

use crate::model::arithmetic::ArithmeticError;
use crate::model::money::Money;

/// When a change takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// When the difference is paid or held.
    Now,
    /// With the next term, at its price; until then nothing changes.
    AtEnd,
}

/// Why a package may not be changed now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeRefused {
    #[error("the renewal is not paid yet: pay its invoice before choosing a larger package")]
    RenewalUnpaid,
    #[error(transparent)]
    Arithmetic(#[from] ArithmeticError),
}

/// When a change between two prices of a whole period takes effect.
pub fn timing(old: Money, new: Money, renewal_unpaid: bool) -> Result<Timing, ChangeRefused> {
    let difference = new.checked_sub(old)?;
    if difference.minor < 0 {
        Ok(Timing::AtEnd)
    } else if renewal_unpaid {
        Err(ChangeRefused::RenewalUnpaid)
    } else {
        Ok(Timing::Now)
    }
}
