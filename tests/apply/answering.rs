//! What a cluster is, against what its document says.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use tenantry::model::Commit;
use tenantry::model::Snapshot;
use tenantry::reconcile::answer::Documented;
use tenantry::reconcile::desired::advance;
use tenantry::sandbox::SandboxOptions;
use tenantry::sandbox::Version;

use super::world;
use super::world::World;

/// The whole example, with its cluster said to run a version.
fn documented(version: &str) -> Documented {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tenants-example")];
    let root = folders[0].clone();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            files.push((name, text.replace("\"1.33\"", &format!("\"{version}\""))));
        }
    }
    let snapshot = Snapshot::of(Commit::new("1"), files);
    Documented::new(Arc::new(advance(None, &snapshot, Timestamp::now())), &snapshot)
}

async fn told(world: &World, version: &str) -> Vec<String> {
    let saigon = "saigon".parse().unwrap();
    let findings = documented(version).ask(&world.cluster, &saigon).await.unwrap();
    findings.into_iter().map(|finding| format!("{} {}", finding.rule, finding.message)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_older_than_its_document_and_what_it_does_not_serve_are_told() {
    let version = Version { major: 1, minor: 20 };
    let old = world::sandbox_with(SandboxOptions { version, ..SandboxOptions::default() }).await;
    let mut worlds = vec![old];
    worlds.extend(world::worlds().await.into_iter().filter(|world| world.server == "real"));
    for world in worlds {
        assert_eq!(told(&world, "1.20").await, [""; 0], "{}", world.server);
        let serves = |kind: &str, api_version: &str| {
            format!(
                "version-not-served the cluster `saigon` does not serve `{kind}` of `{api_version}`, and tenants \
                 are rendered with it: they cannot converge"
            )
        };
        assert_eq!(
            told(&world, "1.33").await,
            [
                "version-differs the cluster `saigon` runs Kubernetes 1.20, and `1.33` is written"
                    .to_owned(),
                serves("CronJob", "batch/v1"),
                serves("PodDisruptionBudget", "policy/v1"),
            ],
            "{}",
            world.server
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_newer_than_its_document_may_have_dropped_what_was_chosen() {
    let world = world::sandbox().await;
    assert_eq!(told(&world, "1.32").await.len(), 1, "all of it is still served");
    assert_eq!(told(&world, "1.20").await.len(), 3, "two are not served any more");
}
