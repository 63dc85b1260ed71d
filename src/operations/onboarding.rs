//! Onboarding: what a new customer has done and what is still to do, from facts alone. What only
//! the application knows, such as its first class, is nobody's fact here.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::PgConnection;

use super::OperationError;
use crate::accounts::first_steps::FirstSteps;
use crate::model::Configuration;
use crate::model::Name;

/// A step of a new customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    MailVerified,
    LoggedIn,
    Ordered,
    Paid,
    InstanceReady,
    BrandingSet,
    DomainSet,
}

impl Step {
    /// Whether one may well do without it.
    pub fn is_optional(self) -> bool {
        matches!(self, Self::BrandingSet | Self::DomainSet)
    }
}

/// A step, whether it is done, and since when, where that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stands {
    pub step: Step,
    pub done: bool,
    pub at: Option<Timestamp>,
}

/// What is known of a tenant.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub people: FirstSteps,
    pub first: First,
    /// Whether all that it has is as its documents say.
    pub converged: bool,
    pub documented: BTreeSet<Step>,
}

/// What happened with a tenant's orders for the first time; none where it never did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct First {
    pub ordered_at: Option<Timestamp>,
    pub paid_at: Option<Timestamp>,
    pub ready_at: Option<Timestamp>,
}

/// The steps that a tenant's documents show to be done.
pub fn documented(configuration: &Configuration, tenant: &Name) -> BTreeSet<Step> {
    let document = configuration.tenants.get(tenant);
    let subscriptions = configuration.subscriptions.get(tenant);
    let subscriptions = || subscriptions.into_iter().flat_map(|all| all.values());
    let shown = [
        (Step::Ordered, subscriptions().next().is_some()),
        (Step::Paid, subscriptions().any(|document| document.spec.paid_through.is_some())),
        (Step::BrandingSet, document.is_some_and(|document| document.spec.branding.is_some())),
        (Step::DomainSet, subscriptions().any(|document| !document.spec.domains.is_empty())),
    ];
    shown.into_iter().filter_map(|(step, done)| done.then_some(step)).collect()
}

/// Where each step stands, in the order in which they are usually done. What was sold elsewhere
/// and came with its documents is done, although nobody knows since when.
pub fn checklist(facts: &Facts) -> [Stands; 7] {
    let Facts { people, first, converged, documented } = facts;
    let runs = *converged && documented.contains(&Step::Ordered);
    [
        (Step::MailVerified, people.verified_at),
        (Step::LoggedIn, people.logged_in_at),
        (Step::Ordered, first.ordered_at),
        (Step::Paid, first.paid_at),
        (Step::InstanceReady, first.ready_at),
        (Step::BrandingSet, None),
        (Step::DomainSet, None),
    ]
    .map(|(step, at)| {
        let shown = documented.contains(&step) || (step == Step::InstanceReady && runs);
        Stands { step, done: at.is_some() || shown, at }
    })
}

/// When a tenant ordered, paid and had something opened for the first time.
pub async fn first(db: &mut PgConnection, tenant: &Name) -> Result<First, OperationError> {
    type Time = Option<jiff_sqlx::Timestamp>;
    let (ordered, paid, ready): (Time, Time, Time) = sqlx::query_as(
        "select (select min(created_at) from customer_order where customer = $1),
             (select min(paid_at) from customer_order where customer = $1 and state <> 'failed'),
             (select min(ended_at) from operation where tenant = $1 and kind = 'open' and state = 'succeeded')",
    )
    .bind(tenant.as_str())
    .fetch_one(db)
    .await?;
    let [ordered_at, paid_at, ready_at] =
        [ordered, paid, ready].map(|time| time.map(jiff_sqlx::Timestamp::to_jiff));
    Ok(First { ordered_at, paid_at, ready_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(facts: &Facts) -> Vec<Step> {
        checklist(facts).into_iter().filter(|one| one.done).map(|one| one.step).collect()
    }

    #[test]
    fn nothing_is_done_that_no_fact_says() {
        assert_eq!(done(&Facts::default()), []);
        // A tenant without subscriptions converges, and has no instance.
        assert_eq!(done(&Facts { converged: true, ..Facts::default() }), []);
    }

    #[test]
    fn what_came_with_its_documents_is_done_and_what_happened_here_says_when() {
        let documented = BTreeSet::from([Step::Ordered, Step::Paid, Step::BrandingSet]);
        let facts = Facts { documented, converged: true, ..Facts::default() };
        let steps = [Step::Ordered, Step::Paid, Step::InstanceReady, Step::BrandingSet];
        assert_eq!(done(&facts), steps);
        let at = "2026-11-24T12:00:00Z".parse().ok();
        let first = First { ordered_at: at, paid_at: at, ready_at: None };
        let stands = checklist(&Facts { first, ..Facts::default() });
        let paid = stands.iter().find(|one| one.step == Step::Paid).unwrap();
        assert!(paid.done && paid.at == at);
        assert!(!stands.iter().any(|one| one.step == Step::InstanceReady && one.done));
    }
}
