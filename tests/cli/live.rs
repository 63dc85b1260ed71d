//! `plan` and `apply` against a cluster: what would be done, what is done, and what is left to do.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;
use tenantry::history::Recorder;
use tenantry::reconcile::daemon::Daemon;
use tenantry::reconcile::daemon::Parts;
use tenantry::reconcile::overview::Overview;
use tenantry::reconcile::targets::Kubeconfigs;
use tenantry::reconcile::world::Clock;
use tenantry::sandbox::Sandbox;
use tenantry::sandbox::SandboxOptions;
use tenantry::source;
use tenantry::source::Source;

use crate::support::program::Program;
use crate::support::program::Told;
use crate::support::repository::TestRepo;

/// Two customers of the example on a cluster without a database server.
struct Story {
    repository: TestRepo,
    _sandbox: Sandbox,
    folder: TempDir,
}

impl Story {
    async fn begin() -> Self {
        let repository = TestRepo::new();
        for file in [
            "platform.yaml",
            "clusters/saigon.yaml",
            "components/n8n.yaml",
            "packages/paas/n8n.yaml",
            "tenants/budi/tenant.yaml",
            "tenants/budi/automation.yaml",
            "tenants/rizky/tenant.yaml",
            "tenants/rizky/automation.yaml",
        ] {
            repository.write(file, example(file));
        }
        let cluster = example("clusters/saigon.yaml");
        let without_databases = cluster.split("  databaseServer:").next().unwrap();
        repository.write("clusters/saigon.yaml", without_databases);
        repository.commit("two customers");
        repository.check_out();
        let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("kubeconfig"), sandbox.kubeconfig_yaml()).unwrap();
        Self { repository, _sandbox: sandbox, folder }
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    fn run(&self, arguments: &str) -> Told {
        Program::with(&format!("{arguments} --kubeconfig {}", self.kubeconfig().display()))
            .in_folder(self.repository.path())
            .hiding(&self.kubeconfig().display(), "KUBECONFIG")
            .run()
    }

    fn plan(&self) -> Told {
        self.run("plan --at 2026-11-21T00:00:00Z")
    }

    #[track_caller]
    fn apply(&self) -> String {
        let told = self.run("apply --repository . --quiet");
        assert_eq!(told.code, 0, "{}{}", told.out, told.err);
        told.out
    }

    /// Changes something behind our back.
    async fn patch(&self, path: &str, patch: Value) {
        let options = kube::config::KubeConfigOptions::default();
        let kubeconfig = kube::config::Kubeconfig::read_from(self.kubeconfig()).unwrap();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        let request = http::Request::patch(format!("{path}?fieldManager=somebody"))
            .header("content-type", "application/merge-patch+json")
            .body(serde_json::to_vec(&patch).unwrap())
            .unwrap();
        kube::Client::try_from(config).unwrap().request_text(request).await.unwrap();
    }
}

fn example(file: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tenants-example");
    std::fs::read_to_string(folder.join(file)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_planned_is_applied_and_then_there_is_nothing_to_do() {
    let story = Story::begin().await;
    let before = story.plan();
    assert_eq!(before.code, 2, "{}", before.err);
    insta::assert_snapshot!(before.shown());
    insta::assert_snapshot!(story.apply());
    let after = story.plan();
    assert_eq!((after.code, after.out.as_str(), after.err.as_str()), (0, "Plan: no changes\n", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_by_hand_is_told_with_who_did_it() {
    let story = Story::begin().await;
    story.apply();
    let deployment = "/apis/apps/v1/namespaces/customer-budi/deployments/automation-n8n";
    story.patch(deployment, json!({"spec": {"replicas": 3}})).await;
    insta::assert_snapshot!(story.plan().shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_document_asks_for_any_more_is_told_before_it_goes() {
    let story = Story::begin().await;
    story.apply();
    story.repository.remove("tenants/rizky/tenant.yaml").remove("tenants/rizky/automation.yaml");
    let quota =
        example("packages/paas/n8n.yaml").replace("limits.memory: 2Gi", "limits.memory: 3Gi");
    story.repository.write("packages/paas/n8n.yaml", quota);
    story.repository.commit("one goes, the other grows");
    insta::assert_snapshot!(story.plan().shown());
    insta::assert_snapshot!(story.apply());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_another_version_is_told() {
    let story = Story::begin().await;
    let cluster = example("clusters/saigon.yaml").replace("\"1.33\"", "\"1.20\"");
    story
        .repository
        .write("clusters/saigon.yaml", cluster.split("  databaseServer:").next().unwrap());
    story.repository.commit("an old cluster");
    let told = story.plan();
    let finding = "clusters/saigon.yaml:9:22: the cluster `saigon` runs Kubernetes 1.33, and `1.20` is written \
        [version-differs]\n  write `kubernetesVersion: \"1.33\"`: templates choose API versions by it\n\
        clusters/saigon.yaml:9:22: the cluster `saigon` does not serve `CronJob` of `batch/v1beta1`, and tenants \
        are rendered with it: they cannot converge [version-not-served]\n  write `kubernetesVersion: \"1.33\"`, \
        or upgrade the cluster to 1.20\n";
    assert_eq!(told.err, finding);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_finds_out_what_its_clusters_are_and_when_their_documents_are_put_right() {
    let story = Story::begin().await;
    let with_version = |version: &str| {
        let cluster = example("clusters/saigon.yaml").replace("\"1.33\"", version);
        let cluster = cluster.split("  databaseServer:").next().unwrap().to_owned();
        story.repository.write("clusters/saigon.yaml", cluster);
        story.repository.commit(&format!("version {version}"));
    };
    with_version("\"1.32\"");
    let url = story.repository.path().to_str().unwrap().to_owned();
    let source = source::Settings::of(url.parse().unwrap());
    let source = Source::open(source, &story.folder.path().join("cache")).await.unwrap();
    let daemon = Daemon::start(Parts {
        source,
        kubeconfigs: Kubeconfigs { files: BTreeMap::new(), default: Some(story.kubeconfig()) },
        recorder: Recorder::to_nowhere(),
        clock: Clock::system(),
        hosts: None,
        verify_every: Duration::from_hours(1),
        clusters: tokio::sync::watch::Sender::default(),
        listener: None,
    })
    .await;
    let mut overview = daemon.overview();
    let rules = |overview: &Overview| -> Vec<&str> {
        overview.cluster_findings.values().flatten().map(|finding| finding.rule).collect()
    };
    overview.wait_for(|overview| rules(overview) == ["version-differs"]).await.unwrap();
    with_version("\"1.33\"");
    overview.wait_for(|overview| rules(overview).is_empty()).await.unwrap();
    assert!(daemon.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_away_is_an_error() {
    let story = Story::begin().await;
    let dead = "apiVersion: v1\nkind: Config\ncurrent-context: a\n\
        clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]\n\
        users: [{name: a, user: {}}]\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n";
    std::fs::write(story.kubeconfig(), dead).unwrap();
    let told = story.plan();
    assert_eq!((told.code, told.out.as_str()), (1, ""));
    assert!(told.err.starts_with("error: the cluster `saigon` cannot be read: "), "{}", told.err);
    let told = story.run("apply --repository . --quiet --wait 30s");
    assert_eq!(told.code, 1);
    assert!(told.out.contains("unreachable"), "{}", told.out);
}
