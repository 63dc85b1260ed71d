//! Stories of the junction over a world that can be watched, hurt and brought back.

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::desired::advance;
use super::fake::FakeTarget;
use super::fake::World;
use super::fake::tenant;
use super::*;
use crate::model::Commit;
use crate::model::Digest;
use crate::model::Snapshot;

/// The example repository, with files added, replaced or (`None`) removed.
fn example(commit: &str, changes: &[(&str, Option<&str>)]) -> Snapshot {
    fn files(
        folder: &std::path::Path,
        root: &std::path::Path,
        into: &mut BTreeMap<String, String>,
    ) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, root, into);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                into.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tenants-example"));
    let mut all = BTreeMap::new();
    files(root, root, &mut all);
    for (path, text) in changes {
        all.retain(|other, _| text.is_some() || !other.starts_with(path));
        if let Some(text) = text {
            all.insert((*path).to_owned(), (*text).to_owned());
        }
    }
    Snapshot::of(Commit::new(commit), all)
}

/// A junction over a world, at a time that stands still.
pub(super) struct Daemon {
    junction: Junction<FakeTarget>,
    task: tokio::task::JoinHandle<()>,
    notes: mpsc::UnboundedReceiver<Note>,
    desired: Option<Desired>,
    pub(super) clock: Arc<Mutex<Timestamp>>,
    said: Vec<Note>,
}

impl Daemon {
    pub(super) fn over(world: &Arc<World>) -> Self {
        let daemon = Self::that_sees_nothing_yet(world);
        daemon.sees();
        daemon
    }

    /// It knows of the cluster, and its watches have told nothing so far.
    fn that_sees_nothing_yet(world: &Arc<World>) -> Self {
        let clock = Arc::new(Mutex::new("2026-11-21T00:00:00Z".parse().unwrap()));
        let time = Arc::clone(&clock);
        let (sender, notes) = mpsc::unbounded_channel();
        let (junction, task) = Junction::start(Clock::of(move || *time.lock().unwrap()), sender);
        let cluster: Name = "saigon".parse().unwrap();
        let target = Arc::new(FakeTarget(Arc::clone(world)));
        junction.tell(Event::Targets(BTreeMap::from([(cluster, target)])));
        Self { junction, task, notes, desired: None, clock, said: Vec::new() }
    }

    fn sees(&self) {
        let cluster: Name = "saigon".parse().unwrap();
        self.junction.tell(Event::Databases(cluster.clone(), Ok(())));
        self.junction.tell(Event::Synced(cluster));
    }

    /// Takes a commit, and does not wait for anything.
    fn take(&mut self, snapshot: &Snapshot) {
        let now = *self.clock.lock().unwrap();
        let desired = advance(self.desired.as_ref(), snapshot, now);
        self.want(&desired);
        self.desired = Some(desired);
    }

    fn want(&self, desired: &Desired) {
        self.junction.tell(Event::Desired(Arc::new(desired.clone())));
    }

    /// Takes a commit and waits until all is done that can be done.
    pub(super) async fn converge(&mut self, snapshot: &Snapshot) -> BTreeMap<String, State> {
        self.take(snapshot);
        self.settle().await
    }

    async fn settle(&mut self) -> BTreeMap<String, State> {
        let settled = tokio::time::timeout(Duration::from_secs(20), self.junction.settled());
        let statuses = settled.await.expect("it settles");
        while let Ok(note) = self.notes.try_recv() {
            self.said.push(note);
        }
        statuses.into_iter().map(|status| (status.unit.to_string(), status.state)).collect()
    }

    fn changed(&self, unit: &str) {
        self.junction.tell(Event::Changed("saigon".parse().unwrap(), tenant(unit)));
    }

    fn parked(&self) -> Option<ParkedDeletions> {
        self.said.iter().rev().find_map(|note| match note {
            Note::Parked(parked) => Some(Some(parked.clone())),
            Note::Unparked { .. } => Some(None),
            _ => None,
        })?
    }

    async fn wait_for(&mut self, mut says: impl FnMut(&Note) -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            match tokio::time::timeout_at(deadline, self.notes.recv()).await.expect("it is said") {
                Some(note) if says(&note) => return,
                Some(_) => {}
                None => panic!("the junction ended"),
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn the_example_converges_and_a_second_pass_writes_nothing() {
    let world = Arc::new(World::default());
    let mut daemon = Daemon::over(&world);
    let states = daemon.converge(&example("1", &[])).await;
    assert!(states.values().all(|state| *state == State::Converged), "{states:?}");
    assert!(
        world.live_of("acme").iter().any(|id| id == "Namespace/kiteclass-acme"),
        "{:?}",
        world.live_of("acme")
    );
    world.assert_no_orphans();
    world.take_log();
    daemon.converge(&example("2", &[("README.yaml", Some("# nothing\n"))])).await;
    assert_eq!(world.take_log(), [""; 0]);

    let mut restarted = Daemon::over(&world);
    restarted.converge(&example("2", &[])).await;
    assert_eq!(
        world.take_log(),
        [""; 0],
        "a daemon that starts again finds everything as it left it"
    );
}

#[tokio::test]
async fn drift_is_put_back() {
    let world = Arc::new(World::default());
    let mut daemon = Daemon::over(&world);
    daemon.converge(&example("1", &[])).await;
    world.take_log();
    world.edit("acme", "Deployment", |live| live.owned = Digest::of(b"scaled by hand"));
    daemon.changed("acme");
    daemon.settle().await;
    let log = world.take_log();
    assert!(log[0].starts_with("update Deployment/kiteclass-acme/"), "{log:?}");
    world.remove("acme", "NetworkPolicy");
    daemon.changed("acme");
    daemon.settle().await;
    assert!(world.take_log().iter().any(|line| line.starts_with("create NetworkPolicy/")));
}

#[tokio::test]
async fn who_undoes_our_work_again_and_again_is_named_and_left_alone() {
    let world = Arc::new(World::default());
    let mut daemon = Daemon::over(&world);
    daemon.converge(&example("1", &[])).await;
    for _ in 0..7 {
        world.edit("acme", "Deployment", |live| {
            live.owned = Digest::of(b"theirs");
            live.changed_by = Some("autoscaler".into());
        });
        daemon.changed("acme");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    daemon
        .wait_for(|note| {
            matches!(note, Note::Status(status) if status.state == State::Degraded
                && status.reason.as_ref().is_some_and(|why| why.contains("autoscaler changes it again and again")))
        })
        .await;
}

#[tokio::test]
async fn a_removed_tenant_goes_and_a_revert_brings_it_back() {
    let world = Arc::new(World::default());
    let mut daemon = Daemon::over(&world);
    daemon.converge(&example("1", &[])).await;
    let before = world.picture();
    daemon.converge(&example("2", &[("tenants/acme/", None)])).await;
    assert!(
        !world.live_of("acme").iter().any(|id| id.starts_with("Deployment")),
        "{:?}",
        world.live_of("acme")
    );
    world.assert_no_orphans();
    daemon.converge(&example("3", &[])).await;
    assert_eq!(world.picture(), before, "the world is as it was");
}

#[tokio::test]
async fn a_removed_tenant_of_which_something_is_kept_is_retired_and_says_what() {
    let world = Arc::new(World::default());
    let mut daemon = Daemon::over(&world);
    daemon.converge(&example("1", &[])).await;
    let states = daemon.converge(&example("2", &[("tenants/acme/", None)])).await;
    assert_eq!(states["acme"], State::Retired);
    let said = daemon.said.iter().rev().find_map(|note| match note {
        Note::Status(status) if status.unit == tenant("acme") => Some(status.clone()),
        _ => None,
    });
    let kept = world.live_of("acme").len();
    assert!(kept > 1, "its namespace, volumes and database are kept");
    let reason = said.and_then(|status| status.reason);
    assert_eq!(reason, Some(format!("{kept} objects are kept by their policy")));
}

#[tokio::test]
async fn a_database_is_set_aside_for_a_revert_and_goes_when_its_time_has_come() {
    let world = Arc::new(World::default());
    let mut daemon = Daemon::over(&world);
    let package = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tenants-example/packages/kiteclass/standard.yaml"
    ));
    let package = package.unwrap().replacen("spec:\n", "spec:\n  dataOnRemoval: delete\n", 1);
    let deleting = ("packages/kiteclass/standard.yaml", Some(package.as_str()));
    daemon.converge(&example("1", &[deleting])).await;
    let before = world.picture();
    let databases = |log: Vec<String>| -> Vec<String> {
        log.into_iter().filter(|line| line.contains("Database/")).collect()
    };
    world.take_log();
    for commit in ["2", "4"] {
        daemon.converge(&example(commit, &[deleting, ("tenants/acme/", None)])).await;
        let name = databases(world.take_log()).pop().unwrap();
        assert!(name.starts_with("set aside Database/kiteclass-acme/"), "{name}");
        let status = daemon.said.iter().rev().find_map(|note| match note {
            Note::Status(status) if status.unit == tenant("acme") => Some(status.clone()),
            _ => None,
        });
        let status = status.unwrap();
        assert_eq!(status.state, State::Retired);
        let reason = status.reason.unwrap();
        assert!(reason.contains(" is set aside until 2027-02-19"), "{reason}");
        if commit == "2" {
            daemon.converge(&example("3", &[deleting])).await;
            assert_eq!(world.picture(), before, "a revert has it back");
            world.take_log();
        }
    }
    let until: Timestamp = "2027-02-19T00:00:00Z".parse().unwrap();
    *daemon.clock.lock().unwrap() = until - jiff::SignedDuration::from_secs(1);
    daemon.changed("acme");
    daemon.settle().await;
    assert_eq!(databases(world.take_log()), [""; 0]);
    *daemon.clock.lock().unwrap() = until;
    daemon.changed("acme");
    daemon.settle().await;
    let log = databases(world.take_log());
    assert!(log.iter().any(|line| line.starts_with("delete Database/kiteclass-acme/")), "{log:?}");
    let kept = [
        "Namespace/kiteclass-acme",
        "PersistentVolumeClaim/kiteclass-acme/acme-backup",
        "Secret/kiteclass-acme/acme-db-credentials",
    ];
    assert_eq!(world.live_of("acme"), kept, "its backups outlive it, and what opens them");
}

#[tokio::test]
async fn what_a_commit_purges_goes_with_its_namespace_and_its_tenant_stays() {
    let world = Arc::new(World::default());
    let mut daemon = Daemon::over(&world);
    daemon.converge(&example("1", &[])).await;
    let ended = [("tenants/acme/school.yaml", None), ("tenants/acme/verify.yaml", None)];
    daemon.converge(&example("2", &ended)).await;
    let kept = world.live_of("acme");
    assert!(kept.len() > 2, "its namespace, volumes and database are kept: {kept:?}");
    let tenant = concat!(env!("CARGO_MANIFEST_DIR"), "/tenants-example/tenants/acme/tenant.yaml");
    let tenant = std::fs::read_to_string(tenant).unwrap() + "  purged: [school]\n";
    let [school, verify] = ended;
    let purged = [school, verify, ("tenants/acme/tenant.yaml", Some(tenant.as_str()))];
    let states = daemon.converge(&example("3", &purged)).await;
    assert_eq!((world.live_of("acme"), states["acme"]), (Vec::new(), State::Converged));
    world.take_log();
    daemon.converge(&example("4", &ended)).await;
    daemon.converge(&example("5", &purged)).await;
    assert_eq!(world.take_log(), [""; 0], "there is nothing that could go twice");
}

#[tokio::test]
async fn a_commit_that_deletes_too_much_is_parked_until_it_is_approved() {
    let world = Arc::new(World::default());
    let mut daemon = Daemon::over(&world);
    daemon.converge(&example("1", &[])).await;
    let before = world.picture();
    let gone = [("tenants/", None)];
    daemon.converge(&example("2", &gone)).await;
    let parked = daemon.parked().expect("it is parked");
    let lost: Vec<&String> = before
        .keys()
        .filter(|id| !world.picture().contains_key(*id) && !id.starts_with("Job"))
        .collect();
    assert_eq!(lost, [&""; 0], "nothing is lost while it is parked");

    let platform = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tenants-example/platform.yaml"
    ))
    .unwrap();
    let (head, tail) =
        platform.split_once("  deletions:\n").expect("the platform says how much may go");
    let approved = format!("{head}  deletions:\n    approved: [\"{}\"]\n{tail}", parked.digest);
    daemon.converge(&example("3", &[("tenants/", None), ("platform.yaml", Some(&approved))])).await;
    assert!(daemon.parked().is_none());
    assert!(world.picture().len() < before.len() / 2, "{:?}", world.picture());
    world.assert_no_orphans();
}

#[tokio::test]
async fn a_broken_file_holds_its_tenant_and_nobody_else() {
    let world = Arc::new(World::default());
    let mut daemon = Daemon::over(&world);
    daemon.converge(&example("1", &[])).await;
    let before = world.live_of("acme");
    let states = daemon
        .converge(&example(
            "2",
            &[
                ("tenants/acme/school.yaml", Some("kind: [")),
                ("tenants/acme/tenant.yaml", Some("a: 1")),
            ],
        ))
        .await;
    assert_eq!(states["acme"], State::Held);
    assert_eq!(world.live_of("acme"), before, "it stays as it was");
    assert_eq!(states["budi"], State::Converged);
    world.edit("acme", "Deployment", |live| live.owned = Digest::of(b"edited"));
    world.take_log();
    daemon.changed("acme");
    daemon.wait_for(|note| matches!(note, Note::Run(run) if run.unit == tenant("acme"))).await;
    assert!(
        world.take_log()[0].starts_with("update Deployment/"),
        "its last good state is still enforced"
    );
}

#[tokio::test]
async fn a_tenant_that_is_broken_when_the_daemon_starts_is_held_and_left_alone() {
    let world = Arc::new(World::default());
    Daemon::over(&world).converge(&example("1", &[])).await;
    let before = world.live_of("acme");
    world.take_log();
    let mut restarted = Daemon::that_sees_nothing_yet(&world);
    restarted.take(&example("2", &[("tenants/acme/school.yaml", Some("kind: ["))]));
    restarted.sees();
    let states = restarted.settle().await;
    assert_eq!(states["acme"], State::Held);
    assert_eq!(world.live_of("acme"), before);
    assert_eq!(world.take_log(), [""; 0]);
}

#[tokio::test]
async fn one_that_never_becomes_ready_and_one_that_is_refused_delay_nobody() {
    let world = Arc::new(World::default());
    world.never_ready.lock().unwrap().push("Deployment/kiteclass-acme".into());
    world.refuses.lock().unwrap().push("customer-budi".into());
    let mut daemon = Daemon::over(&world);
    daemon.take(&example("1", &[]));
    let mut healthy: Vec<UnitName> = ["globex", "siti", "rizky"].map(tenant).into();
    daemon
        .wait_for(|note| {
            if let Note::Status(status) = note
                && status.state == State::Converged
            {
                healthy.retain(|unit| *unit != status.unit);
            }
            healthy.is_empty()
        })
        .await;
    assert!(world.live_of("acme").iter().any(|id| id.starts_with("Deployment")));
    assert!(!world.live_of("acme").iter().any(|id| id.starts_with("Ingress")), "later stages wait");
}

#[tokio::test]
async fn the_clock_suspends_and_a_date_in_git_resumes() {
    let world = Arc::new(World::default());
    let mut daemon = Daemon::over(&world);
    daemon.converge(&example("1", &[])).await;
    world.take_log();
    *daemon.clock.lock().unwrap() = "2035-12-16T00:00:00Z".parse().unwrap();
    // Something wakes the junction; alone it looks at the clock twice a minute.
    daemon.converge(&example("2", &[("note.yaml", Some("# a new day\n"))])).await;
    let log = world.take_log();
    assert!(log.iter().any(|line| line.starts_with("update Deployment/kiteclass-acme")), "{log:?}");
    assert!(
        !log.iter().any(|line| line.starts_with("delete PersistentVolumeClaim")
            || line.starts_with("delete Database")
            || line.starts_with("delete Namespace")),
        "{log:?}"
    );
}

#[tokio::test]
async fn killed_at_any_moment_it_goes_on_and_ends_the_same() {
    let history = [
        example("1", &[]),
        example("2", &[("tenants/acme/", None)]),
        example("3", &[("packages/kiteclass/", None)]),
        example("4", &[("tenants/globex/", None)]),
        example("5", &[]),
    ];
    // Going to a commit is the same in every round: it is done once.
    let now = "2026-11-21T00:00:00Z".parse().unwrap();
    let mut desired: Vec<Desired> = Vec::new();
    for snapshot in &history {
        desired.push(advance(desired.last(), snapshot, now));
    }
    let undisturbed = Arc::new(World::default());
    for desired in &desired {
        let mut daemon = Daemon::over(&undisturbed);
        daemon.want(desired);
        daemon.settle().await;
    }
    let total = undisturbed.writes.load(Ordering::SeqCst);
    for kill in (0..50).map(|round| round * total / 50) {
        let mut world = Arc::new(World { dies_after: Some(kill), ..World::default() });
        for desired in &desired {
            let daemon = Daemon::over(&world);
            daemon.want(desired);
            let settled = daemon.junction.clone();
            let done = settled.settled();
            tokio::pin!(done);
            loop {
                tokio::select! {
                    _ = &mut done => break,
                    () = tokio::time::sleep(Duration::from_millis(2)) => {
                        if world.writes.load(Ordering::SeqCst) > kill && world.dies_after.is_some() {
                            break;
                        }
                    }
                }
            }
            let died = world.dies_after.is_some() && world.writes.load(Ordering::SeqCst) > kill;
            drop(daemon);
            if died {
                // The next daemon starts over what the killed one left behind.
                let things = world.things.lock().unwrap().clone();
                let databases = world.databases.lock().unwrap().clone();
                world = Arc::new(World {
                    things: Mutex::new(things),
                    databases: Mutex::new(databases),
                    uids: AtomicUsize::new(1_000_000),
                    ..World::default()
                });
                world.assert_no_orphans();
                let mut restarted = Daemon::over(&world);
                restarted.want(desired);
                restarted.settle().await;
            }
            world.assert_no_orphans();
        }
        assert_eq!(world.picture(), undisturbed.picture(), "killed after {kill} of {total} writes");
    }
}
