//! Tenantry turns a Git repository of YAML into running tenants, and keeps them so.
//!
//! ```text
//!    Git commit                                                            the world
//!        │                                                                     ▲
//!     source ──► model ──► validate ──► render ──► plan ──► apply (cluster, database, host)
//!        ▲       read YAML   findings    resources   actions   │
//!        │                                                     ▼
//!      edits: the portal's changes, as commits         history, metrics
//! ```
//!
//! The portal beside it commits, and does nothing else to the world:
//!
//! ```text
//!      api ──► operations ──► edits ──► Git          accounts, billing, payments ──► PostgreSQL
//!                  ▲
//!                jobs: what is due by the clock; they join what the portal is made of
//!                  │
//!      usage, pods, workers ◄── ports: reconcile measures, looks and reads logs behind them
//!                  └──► alerts: what is recorded there, held against the platform's thresholds
//!
//!      accounts, operations, payments, alerts, jobs ──► outbox ──► notify ──► SMTP
//! ```
//!
//! Decisions stand in the middle and are pure: `model`, `validate`, `render` and `plan` see no
//! client, no socket, no clock and no environment. Effects stand at the edges, and the edges do
//! not know each other: only `reconcile` joins them. `tests/architecture.rs` keeps it so.
//!
//! Start reading at [`reconcile`].

// The words: plain data, and the reader that makes it of YAML.
pub mod model;
// Is this allowed? What is valid, and the findings.
pub mod validate;
// Templates and what is valid to resources.
pub mod render;
// Desired against observed: what has to be done.
pub mod plan;
// Git: where commits come from.
pub mod source;
// Changes of people's YAML, as commits.
pub mod edits;
// The only chapter that changes the world.
pub mod apply;
// Our own database.
pub mod postgres;
// What happened.
pub mod history;
// Money: prices, the ledger, invoices, and what is due in the life of a subscription.
pub mod billing;
// What has to follow from a fact: mails and commits, written with it.
pub mod outbox;
// Mail: what people are told.
pub mod notify;
// People and machines: who they are, and what lets them in.
pub mod accounts;
// The life of a change: priced, paid, committed, followed.
pub mod operations;
// How much is used of everything, and what that comes to by hour and by day.
pub mod usage;
// What runs for subscriptions: how it stands, and what it writes.
pub mod pods;
// Clusters, as they were last seen: nodes, disks, certificates, backups.
pub mod workers;
// What is wrong for longer than it may be: told once, closed when it is well, kept.
pub mod alerts;
// Money that comes in: what providers say, believed where it is proven, once in effect.
pub mod payments;
// What is done again and again without anybody asking: each once, however many daemons there are.
pub mod jobs;
// The portal: it reads, and writes commits; it reaches no cluster and no host.
pub mod api;
// The junction: where what is wanted meets what is there.
pub mod reconcile;
// A Kubernetes API on loopback and a private PostgreSQL, for the demo and for tests.
pub mod sandbox;
// What the environment says.
pub mod settings;
// What the program says about itself while it runs.
pub mod telemetry;
// The operator's hands.
pub mod cli;
