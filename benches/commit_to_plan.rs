//! A repository of ten thousand tenants: read, validated, rendered and planned from nothing, and
//! after a commit that touches one tenant, one package, one template; and what it takes the
//! junction, after the commit for one tenant, to find whom it concerns and say where they stand.
//!
//! `BENCH_TENANTS` (10000), `BENCH_COLD_RUNS` (3) and `BENCH_TOUCHES` (10) make it smaller.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use tenantry::model::Commit;
use tenantry::model::Snapshot;
use tenantry::plan::Deletions;
use tenantry::plan::Observed;
use tenantry::plan::plan;
use tenantry::reconcile::Event;
use tenantry::reconcile::Junction;
use tenantry::reconcile::desired::Desired;
use tenantry::reconcile::desired::advance;
use tenantry::reconcile::note::Note;
use tenantry::reconcile::targets::ClusterTarget;
use tenantry::reconcile::world::Clock;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::support::measure::Stopwatch;
use crate::support::measure::peak_memory;
use crate::support::measure::quantile;
use crate::support::measure::size;
use crate::support::measure::timed;
use crate::support::measure::told;
use crate::support::repository;

/// What one process measured.
#[derive(Serialize, Deserialize)]
struct Measured {
    tenants: usize,
    objects: usize,
    cold: Duration,
    /// On all cores together.
    cold_on_cores: Duration,
    /// In MB, the repository's own text among them.
    cold_peak: u64,
    touched: BTreeMap<String, Touched>,
    peak: u64,
}

/// What commits of one sort cost.
#[derive(Serialize, Deserialize)]
struct Touched {
    /// How many tenants it made render again.
    rendered: usize,
    wall: Vec<Duration>,
    cores: Vec<Duration>,
}

/// Measures in a process of its own, because a process does not give its peak memory back.
pub(crate) fn run() {
    let runs = size("BENCH_COLD_RUNS", 3).max(1);
    let measured: Vec<Measured> = (0..runs).map(|_| measured_by_a_child()).collect();
    let Some(first) = measured.first() else { return };
    println!("  {} tenants, {} objects", first.tenants, first.objects);
    let of = |pick: fn(&Measured) -> Duration| measured.iter().map(pick).collect::<Vec<_>>();
    println!("  from nothing      {}", told(of(|run| run.cold)));
    println!("    on cores        {}", told(of(|run| run.cold_on_cores)));
    let peaks = |pick: fn(&Measured) -> u64| measured.iter().map(pick).max().unwrap_or_default();
    println!("    peak memory     {} MB", peaks(|run| run.cold_peak));
    for (what, touched) in &first.touched {
        let all = || measured.iter().filter_map(|run| run.touched.get(what));
        let wall = all().flat_map(|touched| touched.wall.clone()).collect();
        let cores = all().flat_map(|touched| touched.cores.clone()).collect();
        println!("  {what:<17} {}", told(wall));
        println!("    on cores        {}", told(cores));
        println!("    rendered again  {} tenants", touched.rendered);
    }
    println!("    peak memory     {} MB", peaks(|run| run.peak));

    let median = |mut times: Vec<Duration>| {
        times.sort();
        quantile(&times, 50)
    };
    let cold = median(of(|run| run.cold));
    let one = median(
        measured
            .iter()
            .filter_map(|run| run.touched.get("one tenant"))
            .flat_map(|touched| touched.wall.clone())
            .collect(),
    );
    println!(
        "summary: {} tenants with {} objects from nothing in {cold:.1?} and {} MB; a commit for one of them in {one:.1?}, {:.0} times faster",
        first.tenants,
        first.objects,
        peaks(|run| run.cold_peak),
        cold.as_secs_f64() / one.as_secs_f64(),
    );
}

fn measured_by_a_child() -> Measured {
    let program = std::env::current_exe().expect("this program has a path");
    let output = Command::new(program)
        .args(["child", "commit_to_plan"])
        .output()
        .expect("this program can be run once more");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the child prints what it measured")
}

/// Measures once, and prints it for the parent.
pub(crate) fn child() {
    let tenants = size("BENCH_TENANTS", 10_000);
    let first = repository::snapshot(tenants);
    let (cold, desired) = timed(|| {
        let desired = advance(None, &first, now());
        assert!(desired.findings.is_empty(), "{:?}", desired.findings.first());
        assert_eq!(planned(None, &desired), desired.units.len());
        desired
    });
    let cold_peak = peak_memory().unwrap_or_default();
    let objects = desired.units.values().map(|unit| unit.outlines.len()).sum();

    let changes: [(&str, &str, Change); 3] = [
        ("one tenant", "tenants/t00000/tenant.yaml", |text, number| {
            text.replace("Customer 0", &format!("Customer number {number}"))
        }),
        ("one package", "packages/kiteclass/standard.yaml", |text, number| {
            text.replace("limits.cpu: ", &format!("limits.cpu: {}", number % 9 + 1))
        }),
        ("one template", "templates/component/web.yaml", |_, number| {
            format!("{}# {number}\n", include_str!("../templates/component/web.yaml"))
        }),
    ];
    let mut touched: BTreeMap<String, Touched> = changes
        .into_iter()
        .map(|(what, path, change)| (what.to_owned(), touch(&desired, &first, path, change)))
        .collect();
    let (_, path, change) = changes[0];
    touched.insert("in the junction".to_owned(), tell_the_junction(&desired, &first, path, change));
    let measured = Measured {
        tenants: desired.units.len(),
        objects,
        cold: cold.wall,
        cold_on_cores: cold.cores,
        cold_peak,
        touched,
        peak: peak_memory().unwrap_or_default(),
    };
    println!("{}", serde_json::to_string(&measured).expect("numbers are JSON"));
}

/// Another text for a file, and another one for every number.
type Change = fn(&str, usize) -> String;

/// Commits one change after the other, and measures from the snapshot to the plans.
fn touch(start: &Desired, before: &Snapshot, path: &str, change: Change) -> Touched {
    let mut touched = Touched { rendered: 0, wall: Vec::new(), cores: Vec::new() };
    let mut desired = start.clone();
    let commits = if path.starts_with("tenants/") { size("BENCH_TOUCHES", 10) } else { 2 };
    for number in 1..=commits.max(1) {
        let next = repository::with(before, path, |text| change(text, number));
        let (took, now_desired) = timed(|| {
            let next = advance(Some(&desired), &next, now());
            planned(Some(&desired), &next);
            next
        });
        assert_eq!(now_desired.units.len(), start.units.len(), "{:?}", now_desired.findings);
        touched.rendered = now_desired.rendered;
        touched.wall.push(took.wall);
        touched.cores.push(took.cores);
        desired = now_desired;
    }
    touched
}

/// Commits one change after the other, and measures from what is desired until the junction has
/// said where the units stand that it concerns. There is no cluster: they wait for it.
fn tell_the_junction(start: &Desired, before: &Snapshot, path: &str, change: Change) -> Touched {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be started").block_on(async {
        let (notes, mut said) = tokio::sync::mpsc::unbounded_channel();
        let (junction, _) = Junction::<ClusterTarget>::start(Clock::of(now), notes);
        let mut touched = Touched { rendered: 1, wall: Vec::new(), cores: Vec::new() };
        let mut desired = Arc::new(start.clone());
        tell(&junction, &desired, &mut said, desired.units.len()).await;
        for number in 1..=size("BENCH_TOUCHES", 10).max(1) {
            let mut next = repository::with(before, path, |text| change(text, number));
            // Another commit each time: what is told twice is told once.
            next.commit = Commit::new(&format!("{number:040}"));
            desired = Arc::new(advance(Some(&desired), &next, now()));
            let watch = Stopwatch::start();
            tell(&junction, &desired, &mut said, 1).await;
            let took = watch.took();
            touched.wall.push(took.wall);
            touched.cores.push(took.cores);
        }
        touched
    })
}

/// Hands in what is desired, as the daemon does, and waits until so many units were spoken of.
async fn tell(
    junction: &Junction<ClusterTarget>,
    desired: &Arc<Desired>,
    said: &mut UnboundedReceiver<Note>,
    concerned: usize,
) {
    junction.tell(Event::Desired(Arc::clone(desired)));
    let mut spoken_of = 0;
    while spoken_of < concerned {
        let note = said.recv().await.expect("the junction runs");
        spoken_of += usize::from(matches!(note, Note::Status(_)));
    }
}

/// Plans every unit that is not as it was, and tells how many of them have something to do.
fn planned(before: Option<&Desired>, desired: &Desired) -> usize {
    let nothing = Observed::default();
    let differences = desired.differences(before);
    let units = differences.iter().filter_map(|(_, old, new)| {
        new.filter(|new| old.is_none_or(|old| old.digest != new.digest))
    });
    units
        .filter(|unit| !plan(&unit.outlines, &nothing, &Deletions::Allowed).steps.is_empty())
        .count()
}

fn now() -> jiff::Timestamp {
    "2026-11-21T10:00:00Z".parse().expect("it is a time")
}
