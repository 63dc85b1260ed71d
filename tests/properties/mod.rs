//! What holds for every business, shown on the example and on what commits make of it.

mod order;
mod planning;
mod rendering;

use jiff::Timestamp;
use tenantry::model::Commit;
use tenantry::model::Snapshot;
use tenantry::reconcile::desired::Desired;
use tenantry::reconcile::desired::advance;

use crate::support::business::Business;

fn snapshot(business: &Business) -> Snapshot {
    Snapshot::of(Commit::new("0"), &business.files)
}

fn time(business: &Business) -> Timestamp {
    business.at.parse().unwrap()
}

/// What it asks for. Nothing is wrong with it, so that nobody's things are missing unnoticed.
fn desired(business: &Business) -> Desired {
    let desired = advance(None, &snapshot(business), time(business));
    assert!(desired.held.is_empty(), "{:?}", desired.held);
    assert!(desired.held.is_empty() && desired.unsure.is_none());
    desired
}
