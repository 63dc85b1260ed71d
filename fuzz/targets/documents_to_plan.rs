//! A commit of any files goes the whole pure way: it is read, checked, rendered and planned.
//! Never a panic and never more work than it deserves; and what makes a commit cheap, taking
//! from the commit before what it cannot have changed, never makes it another one.

#![no_main]

mod support;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use tenantry::model::Commit;
use tenantry::model::Snapshot;
use tenantry::model::UnitName;
use tenantry::model::resource::Rendered;
use tenantry::plan::Preview;
use tenantry::plan::preview::Held;
use tenantry::plan::preview::between;
use tenantry::plan::show;
use tenantry::reconcile::desired::Desired;
use tenantry::reconcile::desired::advance;
use tenantry::validate::report;

/// The file of a customer's own that an input without names of files is.
const FIRST: &str = "tenants/siti/blog.yaml";

struct Base {
    files: BTreeMap<String, Vec<u8>>,
    desired: Desired,
    rendered: BTreeMap<UnitName, Rendered>,
}

/// The commit before: two customers, as small as a whole repository can be.
static BASE: LazyLock<Base> = LazyLock::new(|| {
    let files = support::example(&[
        "platform.yaml",
        "clusters/saigon.yaml",
        "components/ghost.yaml",
        "packages/paas/ghost.yaml",
        "tenants/siti/blog.yaml",
        "tenants/siti/tenant.yaml",
        "tenants/toko-batik/journal.yaml",
        "tenants/toko-batik/tenant.yaml",
    ]);
    let desired = advance(None, &Snapshot::of(Commit::new("1"), &files), now());
    assert!(desired.findings.is_empty(), "{:?}", desired.findings);
    let rendered = rendered(&desired);
    assert_eq!(rendered.len(), 2);
    Base { files, desired, rendered }
});

fn now() -> Timestamp {
    "2026-11-20T00:00:00Z".parse().expect("a time")
}

fn rendered(desired: &Desired) -> BTreeMap<UnitName, Rendered> {
    let render = |(name, unit): (&UnitName, &std::sync::Arc<_>)| {
        let unit: &tenantry::reconcile::desired::DesiredUnit = unit;
        let bodies = unit.bodies().expect("what was rendered can be rendered again");
        assert_eq!(bodies.digest, unit.digest, "{name} is another one the second time");
        (name.clone(), bodies)
    };
    desired.units.iter().map(render).collect()
}

fn preview(
    from: &BTreeMap<UnitName, Rendered>,
    to: &Desired,
    wanted: &BTreeMap<UnitName, Rendered>,
) -> Preview {
    let names: std::collections::BTreeSet<&UnitName> = from.keys().chain(wanted.keys()).collect();
    let units = names.into_iter().filter_map(|name| between(from.get(name), wanted.get(name), now()));
    let held = to.held.iter().map(|(unit, why)| Held { unit: unit.clone(), why: why.clone() });
    let deletions = to.platform.as_ref().map(|platform| platform.spec.deletions.clone());
    Preview::new(units, held.collect(), &deletions.unwrap_or_default(), to.unsure.as_deref())
}

fuzz_target!(|bytes: &[u8]| {
    let base = &*BASE;
    let mut files = base.files.clone();
    for (path, content) in support::files(bytes, FIRST) {
        // A file in a folder called `gone` is taken away.
        match path.strip_prefix("gone/") {
            Some(path) => drop(files.remove(path)),
            None => drop(files.insert(path, content.to_vec())),
        }
    }
    let snapshot = Snapshot::of(Commit::new("2"), &files);
    let desired = advance(Some(&base.desired), &snapshot, now());

    let cold = advance(None, &snapshot, now());
    assert_eq!(cold.findings, desired.findings);
    assert_eq!(cold.held, desired.held);
    assert_eq!(cold.unsure, desired.unsure);
    for (name, unit) in &cold.units {
        assert_eq!(unit.digest, desired.units[name].digest, "{name} depends on the commit before");
    }
    for name in desired.units.keys().filter(|name| !cold.units.contains_key(*name)) {
        assert!(desired.held.contains_key(name), "{name} is there, asked for by nobody");
    }

    report::plain(&desired.findings, &snapshot, true);
    report::json(&desired.findings);
    report::sarif(&desired.findings);
    report::github(&desired.findings);
    let wanted = rendered(&desired);
    let told = preview(&base.rendered, &desired, &wanted);
    assert!(!show::text(&told, true).is_empty());
    assert!(told.is_empty() || !told.units.is_empty());
    let gone = base.rendered.keys().any(|name| !wanted.contains_key(name));
    assert!(!gone || desired.unsure.is_none() || told.parked_because.is_some(), "{told:?}");
    let after = preview(&wanted, &desired, &wanted);
    assert!(after.is_empty(), "after everything was applied, {after:?} is left to do");
});
