//! Rate limits: how many requests one caller may make in a while. The generic cell rate algorithm
//! needs one number for each caller: the time at which all its requests so far would have been
//! made at an even pace. What it remembers is bounded.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use jiff::Timestamp;

/// How much is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// As the headers name it.
    pub name: &'static str,
    /// So many requests at once, and as many again in every window.
    pub quota: u32,
    /// In seconds.
    pub window: u32,
}

/// What became of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    pub policy: Policy,
    /// How many more could follow at once.
    pub remaining: u32,
    /// When the whole quota is there again.
    pub reset: Duration,
    /// How long to wait; none where the request is allowed.
    pub retry_after: Option<Duration>,
}

/// The limits of many callers.
#[derive(Debug)]
pub struct Limits<K> {
    policy: Policy,
    /// When each caller's requests would have been made at an even pace, in nanoseconds.
    arrivals: Mutex<HashMap<K, i128>>,
    most: usize,
}

impl<K: Hash + Eq> Limits<K> {
    /// Limits that remember at most so many callers.
    pub fn new(policy: Policy, most: usize) -> Self {
        Self { policy, arrivals: Mutex::default(), most }
    }

    /// Counts a request, and says whether it is allowed.
    pub fn take(&self, caller: K, now: Timestamp) -> Decision {
        let Policy { quota, window, .. } = self.policy;
        let now = now.as_nanosecond();
        let window = i128::from(window) * 1_000_000_000;
        let pace = window / i128::from(quota.max(1));
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if arrivals.len() >= self.most && !arrivals.contains_key(&caller) {
            // Who has waited long enough is as good as unknown.
            arrivals.retain(|_, arrival| *arrival > now);
            if arrivals.len() >= self.most {
                // Rather forget than fall: so many callers at once are no longer told apart anyway.
                arrivals.clear();
            }
        }
        let known = arrivals.get(&caller).copied().unwrap_or(now).max(now);
        let next = known + pace;
        if next - now > window {
            return Decision {
                policy: self.policy,
                remaining: 0,
                reset: nanoseconds(known - now),
                retry_after: Some(nanoseconds(next - now - window)),
            };
        }
        arrivals.insert(caller, next);
        let remaining = (window - (next - now)) / pace;
        Decision {
            policy: self.policy,
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            reset: nanoseconds(next - now),
            retry_after: None,
        }
    }

    #[cfg(test)]
    fn remembered(&self) -> usize {
        self.arrivals.lock().unwrap().len()
    }
}

fn nanoseconds(count: i128) -> Duration {
    Duration::from_nanos(u64::try_from(count).unwrap_or(0))
}

impl Decision {
    /// `RateLimit-Policy`, as `draft-ietf-httpapi-ratelimit-headers` has it.
    pub fn policy_header(&self) -> String {
        let Policy { name, quota, window } = self.policy;
        format!("\"{name}\";q={quota};w={window}")
    }

    /// `RateLimit`: what remains, and in how many seconds the quota is whole again.
    pub fn header(&self) -> String {
        let reset = self.reset.as_secs() + u64::from(self.reset.subsec_nanos() > 0);
        format!("\"{}\";r={};t={reset}", self.policy.name, self.remaining)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    const POLICY: Policy = Policy { name: "default", quota: 10, window: 60 };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn a_quota_is_given_at_once_and_grows_back_evenly() {
        let limits = Limits::new(POLICY, 100);
        for left in (0..10).rev() {
            let decision = limits.take("ada", at(0));
            assert_eq!((decision.remaining, decision.retry_after), (left, None));
        }
        let refused = limits.take("ada", at(0));
        assert_eq!(refused.retry_after, Some(Duration::from_secs(6)));
        assert_eq!(refused.header(), "\"default\";r=0;t=60");
        assert_eq!(refused.policy_header(), "\"default\";q=10;w=60");
        // To be refused costs nothing.
        assert_eq!(limits.take("ada", at(6)).retry_after, None);
        assert!(limits.take("ada", at(6)).retry_after.is_some());
        assert_eq!(limits.take("ada", at(600)).remaining, 9);
    }

    #[test]
    fn one_caller_takes_nothing_from_another() {
        let limits = Limits::new(POLICY, 100);
        (0..20).for_each(|_| {
            limits.take("ada", at(0));
        });
        assert_eq!(limits.take("bob", at(0)).remaining, 9);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let limits = Limits::new(POLICY, 100);
        for caller in 0..10_000 {
            limits.take(caller, at(0));
        }
        assert!(limits.remembered() <= 100);
        // Who still has to wait is remembered before who has not.
        let limits = Limits::new(POLICY, 2);
        (0..10).for_each(|_| {
            limits.take(1, at(0));
        });
        limits.take(2, at(0));
        limits.take(3, at(7));
        assert!(limits.take(1, at(7)).remaining < 9);
    }
}
