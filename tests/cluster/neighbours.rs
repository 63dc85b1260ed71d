//! One sick tenant slows nobody: whoever is well converges beside a broken file, a template that
//! fails and pods that never become ready, and each of the sick says what ails it.

use std::collections::BTreeMap;

use super::ground::Ground;
use super::ground::text;

/// Opens a copy of a customer who rents n8n.
fn open(ground: &Ground, tenant: &str, more: &str) {
    for file in ["tenant.yaml", "automation.yaml"] {
        let copy = text(&format!("tenants/budi/{file}")).replace("budi", tenant);
        let more = if file == "automation.yaml" { more } else { "" };
        ground.repository.write(&format!("tenants/{tenant}/{file}"), copy + more);
    }
}

async fn the_sick_say_what_ails_them_and_nobody_waits_for_them(ground: Option<Ground>) {
    let Some(ground) = ground else { return };
    ground.with_only(&["budi"]);
    let daemon = ground.start_daemon().await;
    daemon.settled(&ground.repository.head()).await;

    for tenant in ["well", "faulty"] {
        open(&ground, tenant, "");
    }
    let never =
        "  overrides:\n    components:\n      n8n: { image: \"n8nio/fail-never-ready:1\" }\n";
    open(&ground, "unready", never);
    ground.repository.write("tenants/broken/tenant.yaml", "kind: Tenant\n\tmetadata: [\n");
    let namespace = include_str!("../../templates/paas/namespace/10-namespace.yaml");
    let fails =
        r#"{% if tenant.name == "faulty" %}{{ fail("this one is not for us") }}{% endif %}"#;
    let template = format!("{fails}\n{namespace}");
    ground.repository.write("templates/paas/namespace/10-namespace.yaml", template);
    ground.repository.write(
        "tenants/budi/automation.yaml",
        text("tenants/budi/automation.yaml") + "  restarts: 1\n",
    );
    let commit = ground.repository.commit("three sick tenants among the well");

    // It is not settled while pods may still become ready, so the well are waited for by name.
    let status = daemon
        .until("the well converge, and the sick say why they do not", |status| {
            let state = |name: &str| status["units"][name]["state"].as_str().unwrap_or_default();
            let reason = |name: &str| status["units"][name]["reason"].as_str().unwrap_or_default();
            status["commit"] == commit.as_str()
                && state("well") == "converged"
                && state("budi") == "converged"
                && status["units"]["budi"]["commit"] == commit.as_str()
                && reason("unready").contains("n8n")
        })
        .await;
    let told: BTreeMap<&str, String> = ["broken", "faulty", "unready"]
        .into_iter()
        .map(|name| {
            let unit = &status["units"][name];
            (name, format!("{}: {}", unit["state"], unit["reason"]))
        })
        .collect();
    assert!(told["broken"].contains("held") && told["broken"].contains("tab"), "{told:?}");
    assert!(told["faulty"].contains("held") && told["faulty"].contains("not for us"), "{told:?}");
    assert!(told["unready"].starts_with("\"waiting\": \"Deployment/"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sick_say_what_ails_them_and_nobody_waits_for_them_on_the_sandbox() {
    the_sick_say_what_ails_them_and_nobody_waits_for_them(Ground::on_a_sandbox().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sick_say_what_ails_them_and_nobody_waits_for_them_on_the_real_server() {
    the_sick_say_what_ails_them_and_nobody_waits_for_them(Ground::on_a_real_server().await).await;
}
