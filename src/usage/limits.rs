//! How much a subscription may use, and where it stands. Nobody is stopped for reaching a limit: it
//! is said, to the customer and to the operator.

use serde::Serialize;

use super::Measure;
use crate::model::Package;
use crate::model::Subscription;
use crate::model::quantity::Quantity;
use crate::validate::sold::sold_limits;
use crate::validate::sold::sold_quota;

/// How many percent below a threshold usage has to fall before crossing it again is news.
const SLACK: i64 = 5;

/// Where a subscription stands with a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    #[default]
    Within,
    /// Over the percentage from which the platform warns.
    Near,
    /// All of it is used, or more.
    Reached,
}

/// How much of a measure may be used, in the measure's unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub measure: Measure,
    pub most: i64,
}

/// The names under which packages sell or grant a measure; the first that is there counts.
fn names(measure: Measure) -> &'static [&'static str] {
    match measure {
        Measure::Cpu => &["limits.cpu", "requests.cpu", "cpu"],
        Measure::Memory => &["limits.memory", "requests.memory", "memory"],
        Measure::Storage => &["requests.storage"],
    }
}

/// What a subscription may use, by its package, its overrides and its add-ons.
pub fn limits_of(package: &Package, bought: &Subscription) -> Vec<Limit> {
    let (quota, sold) = (sold_quota(package, bought), sold_limits(package, bought));
    let limit = |measure: Measure| {
        let granted = || names(measure).iter().find_map(|name| quota.get(*name));
        let amount = match measure {
            // What is sold by number comes before what the cluster is told to grant.
            Measure::Storage => sold.get("storage").or_else(granted),
            Measure::Cpu | Measure::Memory => granted(),
        };
        let most = amount.map(|amount| in_units(measure, amount))?;
        (most > 0).then_some(Limit { measure, most })
    };
    Measure::ALL.into_iter().filter_map(limit).collect()
}

/// A quantity in the unit of a measure; what is begun counts whole.
pub fn in_units(measure: Measure, quantity: &Quantity) -> i64 {
    const MEBIBYTE: i128 = 1 << 20;
    let units = match measure {
        Measure::Cpu => quantity.milli(),
        Measure::Memory | Measure::Storage => {
            quantity.units().saturating_add(MEBIBYTE - 1) / MEBIBYTE
        }
    };
    i64::try_from(units).unwrap_or(i64::MAX)
}

impl Limit {
    /// How much of it is used, in percent, rounded down.
    pub fn percent(self, used: i64) -> i64 {
        let percent = i128::from(used) * 100 / i128::from(self.most.max(1));
        i64::try_from(percent).unwrap_or(i64::MAX)
    }

    /// Where usage stands that stood somewhere before. Near a threshold it stays where it is, so
    /// that nobody is told again and again.
    pub fn judge(self, before: Standing, used: i64, warn_at: u8) -> Standing {
        let percent = self.percent(used);
        let over = |standing: Standing, threshold: i64| {
            let kept = if before >= standing { SLACK } else { 0 };
            percent >= threshold - kept
        };
        if over(Standing::Reached, 100) {
            Standing::Reached
        } else if over(Standing::Near, i64::from(warn_at)) {
            Standing::Near
        } else {
            Standing::Within
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUNDRED: Limit = Limit { measure: Measure::Cpu, most: 100 };

    #[test]
    fn a_threshold_is_crossed_once_until_usage_fell_well_below_it() {
        let mut standing = Standing::Within;
        let story = [
            (89, Standing::Within),
            (90, Standing::Near),
            (86, Standing::Near),
            (99, Standing::Near),
            (100, Standing::Reached),
            (96, Standing::Reached),
            (250, Standing::Reached),
            (94, Standing::Near),
            (85, Standing::Near),
            (84, Standing::Within),
            (89, Standing::Within),
            (120, Standing::Reached),
            (10, Standing::Within),
        ];
        for (used, expected) in story {
            standing = HUNDRED.judge(standing, used, 90);
            assert_eq!(standing, expected, "at {used}");
        }
    }

    #[test]
    fn quantities_count_in_the_unit_of_the_measure() {
        let units = |measure, text: &str| in_units(measure, &text.parse().unwrap());
        assert_eq!(units(Measure::Cpu, "1500m"), 1500);
        assert_eq!(units(Measure::Memory, "2Gi"), 2048);
        assert_eq!(units(Measure::Storage, "1"), 1);
        assert_eq!(units(Measure::Storage, "999999999999E"), i64::MAX);
    }
}
