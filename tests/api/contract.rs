//! A client that nobody here wrote holds the portal to its `OpenAPI` document: `PyPI`'s
//! `schemathesis` makes requests from it, fitting ones and others, and compares the answers.

use std::path::Path;
use std::process::Output;

use axum::Router;
use tenantry::accounts::Role;
use tenantry::api::rate::Policy;
use tokio::process::Command;

use super::Portal;
use super::isolation::a_desk;
use crate::support::pypi;

const VERSION: &str = "4.32.5";
/// What is tried the same way each time.
const SEED: &str = "7";
/// Streams end when whoever reads them goes, and a client that reads whole answers never does.
const STREAMS: &str = "/events$";
/// What every answer is held to. Whether data is refused or taken is no matter of the document
/// alone: a subdomain that is free in its form may be taken.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,unsupported_method,allow_header_conformance,ignored_auth";

#[tokio::test]
async fn a_client_that_nobody_here_wrote_finds_the_answers_that_are_documented() {
    let folder = tempfile::tempdir().unwrap();
    let programs = pypi::installed(folder.path(), "schemathesis", VERSION).await;
    let Some(programs) = programs else { return };
    let program = programs.join("schemathesis");
    let (desk, _cache) = a_desk().await;
    let unlimited = Policy { name: "unlimited", quota: 1_000_000, window: 1 };
    let changed = |parts: &mut tenantry::api::Parts| {
        parts.desk = Some(desk);
        (parts.usual, parts.entrance, parts.notifications) = (unlimited, unlimited, unlimited);
    };
    let Some(portal) = Portal::open_with(changed, Router::new()).await else { return };
    let customer = portal.customer_of("acme").await.access;
    let operator = portal.staff(Role::Operator).await.access;
    for (who, token) in [("a customer", customer), ("an operator", operator)] {
        let output = held_to_it(&program, &portal.client.address, &token, folder.path()).await;
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "as {who}:\n{said}");
        assert!(said.contains("No issues found"), "as {who}:\n{said}");
    }
}

async fn held_to_it(program: &Path, address: &str, token: &str, folder: &Path) -> Output {
    Command::new(program)
        .arg("run")
        .arg(format!("http://{address}/api/v1/openapi.json"))
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--checks", CHECKS, "--exclude-path-regex", STREAMS, "--seed", SEED])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "10"])
        .args(["--continue-on-failure", "--request-timeout", "20", "--no-color"])
        .args(["--suppress-health-check", "all", "--warnings", "off"])
        // It keeps what it learned where it is started.
        .current_dir(folder)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap()
}
