//! The benchmarks: `cargo bench`, or `cargo bench --bench product -- commit` for those whose name contains a word.
//! Each prints what it measured and one line that says it all; sizes come from the environment.
//! All of them take about ten minutes on two cores that do nothing else.
//!
//! What needs the real API server finds it where `KUBEBUILDER_ASSETS` says; without, it is skipped.
#![allow(clippy::print_stdout, clippy::panic, reason = "a benchmark is a program for a terminal")]
#![allow(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "ratios of times are no money"
)]

mod support;

mod apply_all;
mod commit_to_plan;
mod idle;
mod portal_orders;
mod portal_reads;
mod push_to_applied;
mod sick_neighbours;

/// As in the program: a reconciler makes and drops small things all day.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A benchmark's name, what it measures, and the work itself.
type Benchmark = (&'static str, &'static str, fn());

const BENCHMARKS: [Benchmark; 7] = [
    ("commit_to_plan", "read, validate, render and plan a whole repository", commit_to_plan::run),
    ("apply_all", "a thousand tenants onto the real API server, beside kubectl", apply_all::run),
    (
        "push_to_applied",
        "from a push to the object changed at the API server",
        push_to_applied::run,
    ),
    ("sick_neighbours", "what a sick tenant costs the others", sick_neighbours::run),
    ("idle", "what ten thousand converged tenants cost when nothing happens", idle::run),
    ("portal_reads", "the portal's reads, beside a bare route", portal_reads::run),
    (
        "portal_orders",
        "from an order to its pushed commit in a large repository",
        portal_orders::run,
    ),
];

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    // A benchmark that measures its memory runs itself again, in a process of its own.
    if let [child, name] = arguments.as_slice()
        && child == "child"
    {
        match name.as_str() {
            "commit_to_plan" => commit_to_plan::child(),
            _ => panic!("there is no benchmark `{name}` that has a child"),
        }
        return;
    }
    for (name, what, run) in BENCHMARKS {
        if arguments.is_empty() || arguments.iter().any(|word| name.contains(word.as_str())) {
            println!("\n{name}: {what}");
            run();
        }
    }
}
