//! Ten thousand converged tenants on the sandbox, and nobody does anything: what the API server
//! is asked all the same, and what the daemon's process needs for it.
//!
//! `BENCH_IDLE_TENANTS` (10000) and `BENCH_IDLE_SECONDS` (120) make it smaller.

use std::time::Duration;
use std::time::Instant;

use tenantry::sandbox::Sandbox;
use tenantry::sandbox::SandboxOptions;

use crate::support::hosting::Hosting;
use crate::support::hosting::Package;
use crate::support::hosting::Place;
use crate::support::measure::on_cores_of;
use crate::support::measure::peak_memory_of;
use crate::support::measure::runtime;
use crate::support::measure::size;

/// What a burst of work leaves behind has passed after this.
const COOLING: Duration = Duration::from_secs(5);

pub(crate) fn run() {
    runtime().block_on(measure());
}

async fn measure() {
    let tenants = size("BENCH_IDLE_TENANTS", 10_000);
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let sandbox = sandbox.expect("there is a free port on loopback");
    let place = Place { kubeconfig: &sandbox.kubeconfig_yaml(), version: "1.33" };
    let mut hosting = Hosting::start(&place, Package::Twelve).await;
    let start = Instant::now();
    hosting.grow_to(tenants).await;
    println!(
        "  {tenants} tenants of {} objects converged in {:.0?}",
        Package::Twelve.objects(),
        start.elapsed()
    );
    tokio::time::sleep(COOLING).await;

    let process = hosting.daemon.process_id();
    let (requests, cores) = (sandbox.requests(), on_cores_of(process));
    let start = Instant::now();
    let seconds = u64::try_from(size("BENCH_IDLE_SECONDS", 120)).expect("nobody waits that long");
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let minutes = start.elapsed().as_secs_f64() / 60.0;
    let requests = sandbox.requests().since(&requests);
    let cores = on_cores_of(process).saturating_sub(cores);

    for (what, count) in requests.iter() {
        println!("  {what:<30} {:.1} a minute", count as f64 / minutes);
    }
    let besides = requests.besides_watches();
    let watches = requests.total() - besides;
    let core_time = cores.as_secs_f64() * 1000.0 / minutes;
    println!("  on cores          {core_time:.0} ms a minute");
    println!("  peak memory       {} MB", peak_memory_of(process).unwrap_or_default());
    println!(
        "summary: {tenants} idle tenants: {:.1} requests a minute besides {:.1} watches that are opened again, {core_time:.0} ms of a core a minute",
        besides as f64 / minutes,
        watches as f64 / minutes,
    );
    sandbox.stop().await;
}
