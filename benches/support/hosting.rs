//! A whole hosting business to be measured: a repository of tenants that are ready as soon as
//! their objects are there, and the daemon, as a process of its own, that follows it.

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use tempfile::TempDir;
use tenantry::model::Commit;

use super::daemon;
use super::daemon::Daemon;
use super::daemon::Settings;
use super::git::TestRepo;
use super::repository;

const PATIENCE: Duration = Duration::from_mins(5);
const WEBHOOK_SECRET: &str = "whoever knows this may say look";
/// A branch on which the next commit waits until the clock runs.
const NEXT: &str = "next";

/// What every tenant has.
#[derive(Clone, Copy)]
pub(crate) enum Package {
    /// Namespace, quota, limits, five network policies, two config maps, a secret, a service.
    Twelve,
    /// A namespace and a config map.
    Two,
}

impl Package {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Twelve => "twelve",
            Self::Two => "two",
        }
    }

    pub(crate) fn objects(self) -> usize {
        match self {
            Self::Twelve => 12,
            Self::Two => 2,
        }
    }
}

/// Where the API server is that everything is written to.
pub(crate) struct Place<'a> {
    pub(crate) kubeconfig: &'a str,
    /// The Kubernetes version that it serves.
    pub(crate) version: &'a str,
}

pub(crate) struct Hosting {
    package: Package,
    tenants: usize,
    pub(crate) repository: TestRepo,
    pub(crate) daemon: Daemon,
    settings: Settings,
    folder: TempDir,
}

impl Hosting {
    /// Starts with no tenant at all.
    pub(crate) async fn start(place: &Place<'_>, package: Package) -> Self {
        let repository = TestRepo::new();
        for (path, text) in repository::shared_files_for(place.version) {
            repository.write(&path, text);
        }
        let first = repository.commit("what all tenants share");
        let folder = tempfile::tempdir().expect("there is room for the daemon's cache");
        // Not watched as a folder is: what tells of a commit is the webhook.
        let url = repository.file_url();
        let mut settings = daemon::settings(folder.path(), Path::new(&url), place.kubeconfig, None);
        settings.webhook_secret = Some(WEBHOOK_SECRET.to_owned());
        let daemon = Daemon::start(&settings).await;
        let hosting = Self { package, tenants: 0, repository, daemon, settings, folder };
        hosting.converged(&first).await;
        hosting
    }

    /// Makes a commit that adds so many tenants, which nobody sees before [`Hosting::push`].
    pub(crate) fn prepare(&mut self, more: usize) -> Commit {
        self.repository.switch_to(NEXT);
        for number in self.tenants..self.tenants + more {
            for (path, text) in repository::tenant_with(number, &[self.package.name()]) {
                self.repository.write(&path, text);
            }
        }
        self.tenants += more;
        self.repository.commit("new tenants")
    }

    /// Makes a commit that touches a tenant's file and changes nothing in the cluster.
    pub(crate) fn prepare_remark(&self, number: usize) -> Commit {
        self.repository.switch_to(NEXT);
        let path = tenant_path(number);
        let text = self.repository.read(&path);
        self.repository.write(&path, format!("{text}# Looked at.\n"));
        self.repository.commit("a remark")
    }

    /// Makes the commit the head of the branch that the daemon follows, and sends the webhook.
    pub(crate) async fn push(&self, commit: &Commit) {
        self.repository.switch_to("main").force_to(commit);
        self.daemon.look(WEBHOOK_SECRET).await;
    }

    /// Waits until every tenant is as the commit says.
    pub(crate) async fn converged(&self, commit: &Commit) {
        let settled = self.daemon.settled(commit).await;
        let sick = settled.units.iter().find(|unit| unit.state != "converged");
        assert!(sick.is_none(), "{sick:?}\n{}", self.daemon.said());
        assert_eq!(settled.units.len(), self.tenants);
    }

    /// Waits until every tenant has all that is asked for. Of what stands in inventories, the last
    /// may still be on its way.
    pub(crate) async fn all_there(&self) {
        let all = format!("tenantry_units{{state=\"converged\"}} {}\n", self.tenants);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let metrics = self.daemon.get("/metrics").await.expect("it answers");
            if metrics.contains(&all) {
                return;
            }
            assert!(Instant::now() < deadline, "{metrics}\n{}", self.daemon.said());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Brings the business to a size, in commits that are each converged in good time.
    pub(crate) async fn grow_to(&mut self, tenants: usize) {
        while self.tenants < tenants {
            let commit = self.prepare((tenants - self.tenants).min(1_000));
            self.push(&commit).await;
            self.converged(&commit).await;
        }
    }

    /// Makes a commit that gives tenants other names, which are in their config maps `settings`.
    pub(crate) fn prepare_renames(&self, names: &[(usize, String)]) -> Commit {
        self.repository.switch_to(NEXT);
        for (number, name) in names {
            let path = tenant_path(*number);
            let text = self.repository.read(&path);
            let organisation = text.lines().find(|line| line.contains("organisation:"));
            let organisation = organisation.expect("every tenant has one");
            let text = text.replace(organisation, &format!("  organisation: {name}"));
            self.repository.write(&path, text);
        }
        self.repository.commit("other names")
    }

    /// Adds a tenant whose file is broken, one whose template fails, and one whose pods never
    /// become ready. From here on, not everybody converges.
    pub(crate) async fn add_sick(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        self.repository.switch_to(NEXT);
        for number in 0..count {
            let broken = format!("tenants/broken-{number}/tenant.yaml");
            self.repository.write(&broken, "kind: Tenant\n\tmetadata: [\n");
            for (sickness, package) in [("faulty", "twelve"), ("unready", "n8n")] {
                let name = format!("{sickness}-{number}");
                let healthy = repository::tenant_name(number);
                for (path, text) in repository::tenant_with(number, &[package]) {
                    let text = text.replace(&healthy, &name);
                    self.repository.write(&path.replace(&healthy, &name), text);
                }
            }
            let subscription = format!("tenants/unready-{number}/n8n.yaml");
            let image = "  overrides: { components: { n8n: { image: \"fail-never-ready:1\" } } }\n";
            let text = repository::tenant_with(number, &["n8n"]);
            let (_, text) = text.last().expect("a tenant has a subscription");
            let text = text.replace(&repository::tenant_name(number), &format!("unready-{number}"));
            self.repository.write(&subscription, text + image);
        }
        let template = "templates/twelve/namespace/10-objects.yaml";
        let fails = "{% if \"faulty\" in tenant.name %}{{ fail(\"not for us\") }}{% endif %}\n";
        self.repository.write(template, fails.to_owned() + &self.repository.read(template));
        let commit = self.repository.commit("the sick");
        self.push(&commit).await;
    }

    /// Ends the daemon as a power cut does, and starts another.
    pub(crate) async fn restart(self) -> Self {
        let Self { package, tenants, repository, daemon, settings, folder } = self;
        daemon.kill();
        let daemon = Daemon::start(&settings).await;
        Self { package, tenants, repository, daemon, settings, folder }
    }
}

fn tenant_path(number: usize) -> String {
    format!("tenants/{}/tenant.yaml", repository::tenant_name(number))
}
