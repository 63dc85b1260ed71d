//! The sandbox: what only it can do, and what it must do exactly as the real API server does.
//!
//! An expectation is a function over a [`cluster::Cluster`]; `on_both!` makes of each a test on the
//! sandbox, one on the sandbox that plays 1.20, and one on the real API server, which is 1.20.
#![allow(clippy::needless_pass_by_value, reason = "documents are written where they are used")]

use tenantry::sandbox::Sandbox;
use tenantry::sandbox::SandboxOptions;

/// Makes tests of expectations, on every kind of cluster there is.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on_the_sandbox {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&crate::sandbox::cluster::Cluster::sandbox(33).await).await;
            })*
        }
        mod on_the_sandbox_of_1_20 {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&crate::sandbox::cluster::Cluster::sandbox(20).await).await;
            })*
        }
        mod on_the_real_api_server {
            $(#[tokio::test]
            async fn $name() {
                if let Some(cluster) = crate::sandbox::cluster::Cluster::real().await {
                    super::$name(&cluster).await;
                }
            })*
        }
    };
}

mod cluster;
mod applying;
mod objects;
mod lists;
mod watches;
mod quotas;
mod namespaces;
mod workloads;
mod clients;
mod metrics;
mod trouble;

/// `cargo test --test integration a_sandbox_to_try_by_hand -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs until it is interrupted"]
async fn a_sandbox_to_try_by_hand() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
    println!("kubectl --server {}", sandbox.url());
    std::future::pending::<()>().await;
}
