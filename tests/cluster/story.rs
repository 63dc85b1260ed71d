//! A history of twenty commits, each of which can be reverted, and what telling it must come to.

use tenantry::model::Commit;

use crate::support::daemon::Daemon;
use crate::support::repository::TestRepo;

use super::ground::Ground;
use super::ground::text;
use super::lives::Lives;
use super::picture::Picture;

/// Who is there before the story begins.
const TENANTS: [&str; 4] = ["acme", "toko-batik", "budi", "minh-anh"];

/// What a commit says, and the files it changes.
type Chapter = (&'static str, fn(&TestRepo));

const CHAPTERS: [Chapter; 20] = [
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

/// A few tenants, whose data goes with them: what is kept would be more than there was before.
pub(super) fn begin(ground: &Ground) {
    for tier in ["basic", "standard"] {
        append(
            &ground.repository,
            &format!("packages/kiteclass/{tier}.yaml"),
            "  dataOnRemoval: delete\n",
        );
    }
    ground.with_only(&TENANTS);
}

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

/// Tells the story commit by commit and takes it back, the last commit first. `settle` is given
/// every commit and brings it to its end, by whatever means.
pub(super) async fn tell(
    ground: &Ground,
    mut daemon: Daemon,
    mut settle: impl AsyncFnMut(Daemon, &Commit) -> Daemon,
) -> Daemon {
    let mut lives = Lives::watch(ground);
    let begin = settled_picture(ground, &mut lives).await;
    let mut pictures = vec![begin];
    let mut commits = Vec::new();
    for (title, change) in CHAPTERS {
        change(&ground.repository);
        let commit = ground.repository.commit(title);
        daemon = settle(daemon, &commit).await;
        commits.push((title, commit));
        pictures.push(settled_picture(ground, &mut lives).await);
    }
    while let (Some((title, commit)), Some(_)) = (commits.pop(), pictures.pop()) {
        let revert = ground.repository.revert(&commit);
        daemon = settle(daemon, &revert).await;
        let now = settled_picture(ground, &mut lives).await;
        let differences = now.differences(pictures.last().unwrap());
        assert!(
            differences.is_empty(),
            "{}: after taking back \"{title}\": {differences:#?}\n{}",
            ground.name,
            daemon.said()
        );
    }
    lives.assert_nothing_doubled();
    daemon
}

async fn settled_picture(ground: &Ground, lives: &mut Lives) -> Picture {
    let picture = Picture::of(ground).await;
    picture.assert_no_orphans(ground).await;
    lives.settled(&picture);
    picture
}

pub(super) async fn each_commit_settles(daemon: Daemon, commit: &Commit) -> Daemon {
    let settled = daemon.settled(commit).await;
    for unit in &settled.units {
        let well = ["converged", "retired"].contains(&&*unit.state);
        assert!(well, "{}: {} {:?}\n{}", unit.name, unit.state, unit.reason, daemon.said());
    }
    daemon
}

async fn twenty_commits_taken_back_one_by_one_end_where_they_began(ground: Option<Ground>) {
    let Some(ground) = ground else { return };
    begin(&ground);
    let daemon = ground.start_daemon().await;
    let daemon = each_commit_settles(daemon, &ground.repository.head()).await;
    let daemon = tell(&ground, daemon, each_commit_settles).await;
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
