//! What is only looked at.

use super::Story;
use super::server;

fn catalog(checks: &str) -> String {
    let server = server(8000);
    format!(
        "{server}- file: {{path: /srv/web/ready, content: \"yes\\n\"}}\n\
         - unit: {{name: web.service}}\n{checks}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_are_waited_for_after_a_change_and_told_when_they_fail() {
    let Some(story) = Story::begin() else { return };
    let good = catalog(
        "- http_check: {url: \"http://127.0.0.1:8000/ready\", contains: \"yes\"}\n\
         - port_check: {port: 8000, process: python3}\n",
    );
    story.apply(&good).await;
    let bad = catalog(
        "- http_check: {url: \"http://127.0.0.1:8000/missing\"}\n\
         - http_check: {url: \"http://127.0.0.1:8000/ready\", contains: \"no\"}\n\
         - http_check: {url: \"http://127.0.0.1:9/\"}\n\
         - port_check: {port: 8000, process: nginx}\n\
         - port_check: {port: 9}\n",
    );
    let plan = story.plan(&bad).await;
    assert!(plan.is_settled() && !plan.is_well());
    let told: Vec<String> =
        plan.failing.iter().map(|told| format!("{}: {}", told.resource, told.why)).collect();
    assert_eq!(
        told,
        [
            "http_check http://127.0.0.1:8000/missing: it answers 404 instead of 200",
            "http_check http://127.0.0.1:8000/ready: it answers 200 without `no`",
            "http_check http://127.0.0.1:9/: nothing answers",
            "port_check 127.0.0.1:8000: `python3` listens there, and not `nginx`",
            "port_check 127.0.0.1:9: nothing listens",
        ]
    );
}
