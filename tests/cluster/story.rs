//! A history of twenty commits, each of which can be reverted, and what telling it must come to.

use std::time::Duration;
use std::time::Instant;

use tenantry::model::Commit;

use crate::support::daemon::Daemon;
use crate::support::daemon::Unit;
use crate::support::repository::TestRepo;

use super::ground::Ground;
use super::ground::text;
use super::lives::Lives;
use super::picture::Picture;

/// Who is there before the story begins.
const TENANTS: [&str; 4] = ["acme", "toko-batik", "budi", "minh-anh"];

/// What a commit says, and the files it changes.
pub(super) type Chapter = (&'static str, fn(&TestRepo));

pub(super) const CHAPTERS: [Chapter; 20] = [
    ("a school opens", |repository| {
        open(repository, "sunrise", &["school.yaml"]);
    }),
    ("a customer rents a blog", |repository| open(repository, "siti", &["blog.yaml"])),
    ("the second customer rents a blog, too", |repository| {
        let blog = text("tenants/siti/blog.yaml").replace("siti", "budi");
        repository.write("tenants/budi/blog.yaml", blog);
    }),
    ("STANDARD gets a third pod of its classes", |repository| {
        edit(
            repository,
            "packages/kiteclass/standard.yaml",
            "main-class, replicas: 2",
            "main-class, replicas: 3",
        );
    }),
    ("classes have a new version", |repository| {
        edit(repository, "components/main-class.yaml", "main-class:1.0.0", "main-class:1.1.0");
    }),
    ("STANDARD has a new migration", |repository| {
        edit(repository, "packages/kiteclass/standard.yaml", "migrator:1.0.0", "migrator:1.1.0");
    }),
    ("n8n gets more memory", |repository| {
        edit(repository, "components/n8n.yaml", "memory: 512Mi", "memory: 600Mi");
    }),
    ("blogs listen to another word", |repository| {
        edit(
            repository,
            "components/ghost.yaml",
            "environment:",
            "environment:\n    STORY: { value: told }",
        );
    }),
    ("a customer is held", |repository| {
        append(
            repository,
            "tenants/acme/school.yaml",
            "  holds:\n    - { reason: operator, note: a check }\n",
        );
    }),
    ("the school takes a larger package", |repository| {
        edit(repository, "tenants/sunrise/school.yaml", "kiteclass-basic", "kiteclass-standard");
    }),
    ("the school has colours", |repository| {
        append(
            repository,
            "tenants/sunrise/tenant.yaml",
            "  branding:\n    primaryColor: \"#3B82F6\"\n",
        );
    }),
    ("the school has a domain of its own", |repository| {
        append(repository, "tenants/sunrise/school.yaml", "  domains: [learn.sunrise.example]\n");
    }),
    ("everything of ours has another name", |repository| {
        edit(repository, "platform.yaml", "domain: pods.example", "domain: houses.example");
    }),
    ("everything is restarted once", |repository| {
        append(repository, "tenants/toko-batik/journal.yaml", "  restarts: 1\n");
    }),
    ("a template is ours", |repository| {
        let limits = include_str!("../../templates/kiteclass/namespace/20-quota.yaml");
        repository
            .write("templates/kiteclass/namespace/20-quota.yaml", format!("{limits}\n# Ours.\n"));
    }),
    ("databases know vectors", |repository| {
        edit(repository, "packages/kiteclass/basic.yaml", "btree_gin]", "btree_gin, citext]");
        edit(
            repository,
            "packages/kiteclass/standard.yaml",
            "connections: 100",
            "connections: 120",
        );
    }),
    ("a customer cancels one of two", |repository| {
        repository.remove("tenants/toko-batik/journal.yaml");
    }),
    ("a customer leaves", |repository| {
        for file in ["tenant.yaml", "blog.yaml"] {
            repository.remove(&format!("tenants/siti/{file}"));
        }
    }),
    ("the cluster has another issuer", |repository| {
        edit(repository, "clusters/saigon.yaml", "letsencrypt-prod", "letsencrypt-staging");
    }),
    ("nothing that runs", |repository| {
        edit(repository, "tenants/minh-anh/tenant.yaml", "minhanh@mail", "minh.anh@mail");
    }),
];

fn open(repository: &TestRepo, tenant: &str, files: &[&str]) {
    for file in files.iter().chain(&["tenant.yaml"]) {
        let path = format!("tenants/{tenant}/{file}");
        repository.write(&path, text(&path));
    }
}

fn edit(repository: &TestRepo, path: &str, from: &str, to: &str) {
    let before = repository.read(path);
    assert!(before.contains(from), "{path} says `{from}`");
    repository.write(path, before.replacen(from, to, 1));
}

fn append(repository: &TestRepo, path: &str, more: &str) {
    repository.write(path, repository.read(path) + more);
}

/// The story as far as it is told, with a picture of the world before each commit.
pub(super) struct Story<'a> {
    ground: &'a Ground,
    lives: Lives,
    told: Vec<Told>,
    now: Picture,
}

struct Told {
    title: &'static str,
    commit: Commit,
    before: Picture,
}

impl<'a> Story<'a> {
    /// A few tenants, whose data goes with them: what is kept would be more than there was before.
    pub(super) async fn begin(ground: &'a Ground) -> (Self, Daemon) {
        for package in ["kiteclass/basic", "kiteclass/standard", "paas/n8n", "paas/ghost"] {
            let path = format!("packages/{package}.yaml");
            let text = ground.repository.read(&path);
            // Backups would outlive what they are of.
            let without = text.lines().filter(|line| !line.starts_with("  backup: "));
            let mut without: String = without.flat_map(|line| [line, "\n"]).collect();
            assert!(without.len() < text.len(), "{path} says how it is backed up");
            if !text.contains("dataOnRemoval") {
                without.push_str("  dataOnRemoval: delete\n");
            }
            ground.repository.write(&path, without);
        }
        ground.with_only(&TENANTS);
        let daemon = ground.start_daemon().await;
        settled(&daemon, &ground.repository.head()).await;
        let mut lives = Lives::watch(ground);
        let now = settled_picture(ground).await;
        lives.settled(&now);
        (Self { ground, lives, told: Vec::new(), now }, daemon)
    }

    /// Makes the next commit.
    pub(super) fn commit(&mut self, chapter: &Chapter) -> Commit {
        let (title, change) = chapter;
        change(&self.ground.repository);
        let commit = self.ground.repository.commit(title);
        self.told.push(Told { title, commit: commit.clone(), before: self.now.clone() });
        commit
    }

    /// Looks at the world after a commit has settled.
    pub(super) async fn look(&mut self) {
        self.now = settled_picture(self.ground).await;
        self.lives.settled(&self.now);
    }

    /// Reverts the last commit that still stands. `then` brings the revert to its end; afterwards
    /// the world is as it was before the commit.
    pub(super) async fn take_back(&mut self, then: impl AsyncFnOnce(&Commit)) -> bool {
        let Some(Told { title, commit, before }) = self.told.pop() else { return false };
        let revert = self.ground.repository.revert(&commit);
        then(&revert).await;
        self.look().await;
        let differences = self.now.differences(&before);
        assert!(
            differences.is_empty(),
            "{}: after taking back \"{title}\": {differences:#?}",
            self.ground.name
        );
        true
    }

    /// What the last commit makes may have been made, and what it removes may be gone, before it
    /// is taken back: `after` is what it comes to.
    pub(super) fn may_have_begun(&mut self, after: &Picture) {
        self.lives.may_have_begun(&self.now, after);
    }

    pub(super) fn now(&self) -> Picture {
        self.now.clone()
    }

    pub(super) fn end(self) {
        self.lives.assert_nothing_doubled();
    }
}

async fn settled_picture(ground: &Ground) -> Picture {
    let picture = Picture::of(ground).await;
    picture.assert_no_orphans(ground).await;
    picture
}

/// Waits until everybody is well at this commit. What the server refused for a moment, as a quota
/// does that was only just raised, is tried again by itself.
pub(super) async fn settled(daemon: &Daemon, commit: &Commit) {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let settled = daemon.settled(commit).await;
        let well = |unit: &&Unit| ["converged", "retired"].contains(&&*unit.state);
        let Some(sick) = settled.units.iter().find(|unit| !well(unit)) else { return };
        let tried_again = sick.state == "failing" && Instant::now() < deadline;
        assert!(tried_again, "{sick:?}\n{}", daemon.said());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn twenty_commits_taken_back_one_by_one_end_where_they_began(ground: Option<Ground>) {
    let Some(ground) = ground else { return };
    let (mut story, daemon) = Story::begin(&ground).await;
    for chapter in &CHAPTERS {
        let commit = story.commit(chapter);
        settled(&daemon, &commit).await;
        story.look().await;
    }
    while story.take_back(async |revert| settled(&daemon, revert).await).await {}
    story.end();
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_commits_taken_back_one_by_one_end_where_they_began_on_the_sandbox() {
    twenty_commits_taken_back_one_by_one_end_where_they_began(Ground::on_a_sandbox().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_commits_taken_back_one_by_one_end_where_they_began_on_the_real_server() {
    twenty_commits_taken_back_one_by_one_end_where_they_began(Ground::on_a_real_server().await)
        .await;
}
