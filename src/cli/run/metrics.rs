//! The daemon's numbers in the text form of Prometheus and `OpenMetrics`.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::reconcile::note::REPOSITORY;
use crate::reconcile::overview::Overview;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByState {
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByOutcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByTarget {
    target: String,
}

/// Everything there is to count, as it is now.
pub(super) fn text(overview: &Overview) -> String {
    let mut registry = Registry::with_prefix("tenantry");
    let units: Family<ByState, Gauge> = Family::default();
    for (state, count) in overview.by_state() {
        units.get_or_create(&ByState { state: state.word() }).set(number(count));
    }
    registry.register("units", "Tenants by where they stand", units);

    let counts = &overview.counts;
    let actions: Family<ByOutcome, Counter> = Family::default();
    for (outcome, count) in [
        ("created", counts.created),
        ("changed", counts.changed),
        ("unchanged", counts.unchanged),
        ("deleted", counts.deleted),
        ("failed", counts.failed),
    ] {
        actions.get_or_create(&ByOutcome { outcome }).inc_by(count);
    }
    registry.register("actions", "What was done to things, by what became of it", actions);

    for (name, help, count) in [
        ("commits", "Commits that were read", counts.commits),
        ("runs", "Runs of units that did something", counts.runs),
        ("failed_runs", "Runs of units that failed", counts.failed_runs),
        ("drifts", "Changes by others that were put back", counts.drifts),
        ("verifications", "Listings that verify what watches told", counts.verifications),
        (
            "missed_events",
            "Changes that only a verification brought to light",
            counts.missed_events,
        ),
    ] {
        let counter: Counter = Counter::default();
        counter.inc_by(count);
        registry.register(name, help, counter);
    }

    let parked: Gauge = Gauge::default();
    parked.set(number(overview.parked.as_ref().map_or(0, |parked| parked.ids.len())));
    registry.register("parked_deletions", "Deletions that wait for an approval", parked);

    let findings: Gauge = Gauge::default();
    findings.set(number(overview.findings.len()));
    registry.register("findings", "Findings in the commit that is converged to", findings);

    let refused: Gauge = Gauge::default();
    refused.set(i64::from(overview.refused.is_some()));
    let help = "Whether the branch was rewritten and waits to be accepted";
    registry.register("branch_refused", help, refused);

    let answers: Family<ByTarget, Gauge> = Family::default();
    for (cluster, findings) in &overview.cluster_findings {
        let target = format!("cluster {cluster}");
        answers.get_or_create(&ByTarget { target }).set(number(findings.len()));
    }
    let help = "What documents of clusters say otherwise than the clusters answer";
    registry.register("cluster_findings", help, answers);

    let away: Family<ByTarget, Gauge> = Family::default();
    away.get_or_create(&ByTarget { target: REPOSITORY.into() }).set(0);
    for target in overview.away.keys() {
        away.get_or_create(&ByTarget { target: target.clone() }).set(1);
    }
    registry.register("unreachable", "What cannot be reached at the moment", away);

    let mut text = String::new();
    encode(&mut text, &registry).expect("a string takes every text");
    text
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
