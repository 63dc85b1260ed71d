//! Whether a sick tenant slows the others. Of two equal businesses, one has, besides, a tenant
//! whose file is broken, one whose template fails and one whose pods never become ready. Commits
//! that change every healthy tenant go to both in turn, and each tenant's time from the push to
//! its change at the API server is taken.
//!
//! `BENCH_NEIGHBOURS` (200), `BENCH_SICK` (1 of each kind) and `BENCH_ROUNDS` (20) change its size.

use std::collections::BTreeSet;
use std::time::Duration;
use std::time::Instant;

use tenantry::sandbox::Sandbox;
use tenantry::sandbox::SandboxOptions;

use crate::support::changes;
use crate::support::changes::Changes;
use crate::support::hosting::Hosting;
use crate::support::hosting::Package;
use crate::support::hosting::Place;
use crate::support::measure::quantile;
use crate::support::measure::runtime;
use crate::support::measure::size;

const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) fn run() {
    runtime().block_on(async {
        let (healthy, sick) = (size("BENCH_NEIGHBOURS", 200).max(1), size("BENCH_SICK", 1));
        let mut alone = Business::open(healthy, 0).await;
        let mut beside = Business::open(healthy, sick).await;
        let (mut without, mut with) = (Vec::new(), Vec::new());
        let rounds = size("BENCH_ROUNDS", 20).max(1);
        for round in 0..rounds {
            // Whoever goes first finds a machine that has rested.
            if round % 2 == 0 {
                without.extend(alone.round(round).await);
                with.extend(beside.round(round).await);
            } else {
                with.extend(beside.round(round).await);
                without.extend(alone.round(round).await);
            }
        }
        without.sort();
        with.sort();
        for (what, times) in [("alone", &without), ("beside the sick", &with)] {
            let [p50, p99] = [50, 99].map(|percent| quantile(times, percent));
            println!("  {what:<17} p50 {p50:.1?}, p99 {p99:.1?} of {}", times.len());
        }
        let ratio = quantile(&with, 99).as_secs_f64() / quantile(&without, 99).as_secs_f64();
        println!(
            "summary: beside {} sick tenants, the p99 of {healthy} healthy ones is {:+.1} %",
            3 * sick,
            (ratio - 1.0) * 100.0
        );
    });
}

struct Business {
    hosting: Hosting,
    changes: Changes,
    healthy: usize,
    _sandbox: Sandbox,
}

impl Business {
    async fn open(healthy: usize, sick: usize) -> Self {
        let sandbox = Sandbox::start(SandboxOptions::default()).await;
        let sandbox = sandbox.expect("there is a free port on loopback");
        let kubeconfig = sandbox.kubeconfig_yaml();
        let place = Place { kubeconfig: &kubeconfig, version: "1.33" };
        let mut hosting = Hosting::start(&place, Package::Twelve).await;
        hosting.grow_to(healthy).await;
        hosting.add_sick(sick).await;
        let changes = changes::watch(&kubeconfig).await;
        Self { hosting, changes, healthy, _sandbox: sandbox }
    }

    /// Renames every healthy tenant, and tells how long each took to be told so.
    async fn round(&mut self, round: usize) -> Vec<Duration> {
        let name = |number: usize| format!("Round {round} of {number}");
        let names: Vec<(usize, String)> =
            (0..self.healthy).map(|number| (number, name(number))).collect();
        let mut waiting: BTreeSet<String> = names.iter().map(|(_, name)| name.clone()).collect();
        let commit = self.hosting.prepare_renames(&names);
        let mut times = Vec::with_capacity(self.healthy);
        let start = Instant::now();
        self.hosting.push(&commit).await;
        let all = async {
            while !waiting.is_empty() {
                let (at, name) = self.changes.recv().await.expect("the watch goes on");
                if waiting.remove(&name) {
                    times.push(at - start);
                }
            }
        };
        tokio::time::timeout(PATIENCE, all).await.expect("the healthy are applied in the end");
        times
    }
}
