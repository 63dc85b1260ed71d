//! The sandbox: what only it can do, and what it must do exactly as the real API server does.

use tenantry::sandbox::Sandbox;
use tenantry::sandbox::SandboxOptions;

/// `cargo test --test integration a_sandbox_to_try_by_hand -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs until it is interrupted"]
async fn a_sandbox_to_try_by_hand() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
    println!("kubectl --server {}", sandbox.url());
    std::future::pending::<()>().await;
}
