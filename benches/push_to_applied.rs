//! From a push to the object changed: in a repository of five thousand tenants, each commit
//! changes one of them. The clock runs from when the branch has the commit, with the webhook still
//! to be sent, to when a watch at the API server tells of the change.
//!
//! On the sandbox a tenant has twelve objects, on the real API server two, because it takes a
//! hundred times as long to fill. `BENCH_PUSH_TENANTS` (5000) and `BENCH_PUSHES` (120) make it
//! smaller.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use tenantry::sandbox::Sandbox;
use tenantry::sandbox::SandboxOptions;

use crate::apply_all::REAL_VERSION;
use crate::support::changes;
use crate::support::hosting::Hosting;
use crate::support::hosting::Package;
use crate::support::hosting::Place;
use crate::support::measure::on_cores_of;
use crate::support::measure::quantile;
use crate::support::measure::runtime;
use crate::support::measure::size;
use crate::support::real_api_server;

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn run() {
    runtime().block_on(async {
        let sandbox = Sandbox::start(SandboxOptions::default()).await;
        let sandbox = sandbox.expect("there is a free port on loopback");
        let place = Place { kubeconfig: &sandbox.kubeconfig_yaml(), version: "1.33" };
        let on_sandbox = measure("sandbox", &place, Package::Twelve).await;
        sandbox.stop().await;
        let on_real = match real_api_server::unlogged().await {
            Some(server) => {
                let kubeconfig = std::fs::read_to_string(&server.kubeconfig_path);
                let kubeconfig = kubeconfig.expect("it was just written");
                let place = Place { kubeconfig: &kubeconfig, version: REAL_VERSION };
                Some(measure("real API server", &place, Package::Two).await)
            }
            None => None,
        };
        let said = |times: &[Duration]| {
            format!("p50 {:.0?}, p99 {:.2?}", quantile(times, 50), quantile(times, 99))
        };
        let real = on_real
            .map_or_else(|| "not measured".to_owned(), |times| said(&times));
        println!(
            "summary: push to applied for one of {} tenants: {} on the sandbox; on the real API server {real}",
            tenants(),
            said(&on_sandbox),
        );
    });
}

fn tenants() -> usize {
    size("BENCH_PUSH_TENANTS", 5_000).max(1)
}

/// How long each push took, the shortest first.
async fn measure(name: &str, place: &Place<'_>, package: Package) -> Vec<Duration> {
    let mut hosting = Hosting::start(place, package).await;
    let start = Instant::now();
    hosting.grow_to(tenants()).await;
    println!(
        "  {name}: {} tenants of {} objects converged in {:.0?}",
        tenants(),
        package.objects(),
        start.elapsed()
    );
    let mut changes = changes::watch(place.kubeconfig).await;
    let pushes = size("BENCH_PUSHES", 120).max(1);
    let cores = on_cores_of(hosting.daemon.process_id());
    let mut times = Vec::with_capacity(pushes);
    for push in 0..pushes {
        // Another tenant each time, all over the repository.
        let name = format!("Renamed {push}");
        let commit = hosting.prepare_renames(&[(push * 37 % tenants(), name.clone())]);
        let start = Instant::now();
        hosting.push(&commit).await;
        let seen = async {
            loop {
                let (at, organisation) = changes.recv().await.expect("the watch goes on");
                if organisation == name {
                    return at;
                }
            }
        };
        let seen = tokio::time::timeout(PATIENCE, seen).await;
        times.push(seen.expect("it is applied in the end") - start);
    }
    let cores = on_cores_of(hosting.daemon.process_id()).saturating_sub(cores);
    times.sort();
    let quantiles: BTreeMap<usize, Duration> =
        [50, 90, 99].into_iter().map(|percent| (percent, quantile(&times, percent))).collect();
    for (percent, time) in quantiles {
        println!("    p{percent}             {time:.1?} of {pushes}");
    }
    println!("    on cores        {:.1?} of the daemon's own for each", cores / count(pushes));
    times
}

fn count(pushes: usize) -> u32 {
    u32::try_from(pushes).expect("nobody waits for that many")
}
