//! What a plan decides, told with a small world that does what it is told.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::model::Digest;
use crate::model::UnitName;
use crate::model::platform::DeletionLimit;
use crate::model::resource::Stage;

fn outline(id: &str, stage: Stage, version: u8) -> Outline {
    let mut parts = id.rsplitn(3, '/');
    let (name, namespace, kind) = match (parts.next(), parts.next(), parts.next()) {
        (Some(name), Some(namespace), Some(kind)) => (name, namespace, kind),
        (Some(name), Some(kind), None) => (name, "", kind),
        _ => panic!("an id is kind/name or kind/namespace/name"),
    };
    let group = match kind {
        "Job" => "batch",
        "Database" => "tenantry.dev",
        _ => "",
    };
    Outline {
        id: ResourceId::new(group, kind, namespace, name),
        subscription: None,
        stage,
        on_delete: OnDelete::Delete,
        api_version: "v1".into(),
        digest: Digest::of(&[version]),
        task: None,
    }
}

fn acme() -> Vec<Outline> {
    vec![
        outline("Namespace/acme", Stage::Namespace, 1),
        outline("PersistentVolumeClaim/acme/data", Stage::Database, 1),
        outline("Deployment/acme/web", Stage::Services, 1),
        outline("Job/acme/migrate-1", Stage::Data, 1),
    ]
}

/// A task that may begin up to a second.
fn task(name: &str, before: i64, version: u8) -> Outline {
    let once = crate::model::resource::Once {
        task: name.parse().unwrap(),
        begins_before: Timestamp::from_second(before).unwrap(),
        result: None,
    };
    let job = outline(&format!("Job/acme/task-{name}"), Stage::Task, version);
    Outline { task: Some(Box::new(once)), ..job }
}

#[test]
fn a_task_is_carried_out_once_whatever_becomes_of_its_job() {
    let mut world = World::default();
    let with = |version| [acme(), vec![task("backup", 100, version)]].concat();
    while world.step(&with(1)) {}
    let id = task("backup", 100, 1).id;
    assert!(world.observed.live.contains_key(&id));
    assert_eq!(shown(&world.plan(&with(2))), [""; 0], "another template is no other task");
    world.observed.live.remove(&id);
    assert_eq!(shown(&world.plan(&with(1))), [""; 0], "nobody does it again");
    // Its document goes and comes back, and the inventory is written meanwhile.
    while world.step(&acme()) {}
    world.observed.inventory = inventory::after(&acme(), &world.observed);
    assert_eq!(shown(&world.plan(&with(1))), [""; 0], "a revert does not do it again");
    let observed = Observed { at: Timestamp::from_second(100).unwrap(), ..world.observed.clone() };
    assert!(!inventory::after(&acme(), &observed).entries.contains_key(&id), "it is forgotten");
    let forgotten = Observed { inventory: inventory::after(&acme(), &observed), ..observed };
    let plan = plan(&with(1), &forgotten, &Deletions::Allowed);
    assert_eq!(shown(&plan), [""; 0], "by then it is too late");
}

#[test]
fn without_an_inventory_the_job_itself_says_that_it_was_done() {
    let mut world = World::default();
    let desired = [acme(), vec![task("restore", 100, 1)]].concat();
    while world.step(&desired) {}
    world.observed.inventory = Inventory::default();
    let plan = world.plan(&desired);
    assert!(plan.steps.iter().all(|step| &*step.id.name != "task-restore"), "{plan:?}");
}

#[test]
fn a_task_that_failed_holds_up_nothing_and_no_tenant_is_worse_for_it() {
    let mut world = World::default();
    let desired = [acme(), vec![task("a", 100, 1), task("b", 100, 1)]].concat();
    while world.step(&acme()) {}
    let first = plan(&desired, &world.observed, &Deletions::Allowed);
    let due: Vec<&str> =
        first.steps.iter().filter(|step| step.due).map(|step| &*step.id.name).collect();
    assert_eq!(due, ["task-a"], "one after the other");
    while world.step(&desired) {}
    let live = world.observed.live.get_mut(&task("a", 100, 1).id).unwrap();
    live.health = Health::Failed("the disk is full".into());
    world.observed.live.remove(&task("b", 100, 1).id);
    world.observed.inventory.entries.remove(&task("b", 100, 1).id);
    assert_eq!(shown(&world.plan(&desired)), ["+ Job/acme/task-b"]);
    assert!(progress::progress(&desired, &world.observed).iter().all(Progress::is_ready));
    let standing = once::standing(&task("a", 100, 1), &world.observed);
    assert_eq!(standing, once::Standing::Failed("the disk is full".into()));
}

#[test]
fn a_task_waits_for_the_database_and_not_for_the_services_that_it_may_repair() {
    let mut world = World::default();
    let desired = [acme(), vec![task("restore", 100, 1)]].concat();
    while world.step(&acme()) {}
    let due = |world: &World| world.plan(&desired).steps.iter().any(|step| step.due);
    let health = |world: &mut World, kind: &str, health: Health| {
        let mut live = world.observed.live.iter_mut();
        live.find(|(id, _)| &*id.kind == kind).unwrap().1.health = health;
    };
    health(&mut world, "Deployment", Health::Failed("it crashes".into()));
    assert!(due(&world));
    health(&mut world, "PersistentVolumeClaim", Health::Progressing("no volume yet".into()));
    assert!(!due(&world));
}

/// A world that does what a plan says, and in which everything is ready at once.
#[derive(Default)]
struct World {
    observed: Observed,
    writes: usize,
}

impl World {
    fn plan(&self, desired: &[Outline]) -> Plan {
        plan(desired, &self.observed, &Deletions::Allowed)
    }

    /// Carries out what is due, and says whether there was anything.
    fn step(&mut self, desired: &[Outline]) -> bool {
        if let Some(announced) =
            inventory::before(desired, &self.observed.inventory, self.observed.at)
        {
            self.observed.inventory = announced;
        }
        if let Some(announced) = inventory::announcing(desired, &self.observed) {
            self.observed.inventory = announced;
        }
        let steps: Vec<Step> =
            self.plan(desired).steps.into_iter().filter(|step| step.due).collect();
        for step in &steps {
            self.writes += 1;
            let done = match &step.change {
                Change::Create { desired: position, .. }
                | Change::Update { desired: position, .. } => {
                    let live = Self::applied(&desired[*position]);
                    self.observed.live.insert(step.id.clone(), live.clone());
                    Done { id: step.id.clone(), outcome: Outcome::Changed, live: Some(live) }
                }
                Change::Delete { .. } => {
                    self.delete(&step.id);
                    Done { id: step.id.clone(), outcome: Outcome::Deleted, live: None }
                }
                Change::SetAside { until, .. } => {
                    let live = self.observed.live.get_mut(&step.id).expect("it is there");
                    live.aside = Some(Aside::Until(*until));
                    let live = Some(live.clone());
                    Done { id: step.id.clone(), outcome: Outcome::Changed, live }
                }
                Change::Orphan { .. } => {
                    self.observed.live.remove(&step.id);
                    Done { id: step.id.clone(), outcome: Outcome::Orphaned, live: None }
                }
            };
            inventory::note(&mut self.observed.inventory, desired, &[done]);
        }
        !steps.is_empty()
    }

    fn applied(outline: &Outline) -> Live {
        Live {
            uid: format!("uid-{}", outline.id).into(),
            owned: outline.digest,
            rendered: Some(outline.digest),
            foreign_labels: Vec::new(),
            changed_by: None,
            deleting: false,
            health: Health::Ready,
            aside: None,
        }
    }

    /// A namespace takes along what stands in it.
    fn delete(&mut self, id: &ResourceId) {
        self.observed.live.remove(id);
        if id.is_namespace() {
            let stays = |other: &ResourceId| other.is_database() || other.namespace != id.name;
            self.observed.live.retain(|other, _| stays(other));
        }
    }

    fn converge(&mut self, desired: &[Outline]) {
        for _ in 0..20 {
            if !self.step(desired) {
                self.observed.inventory = inventory::after(desired, &self.observed);
                return;
            }
        }
        panic!("it does not settle: {:?}", self.plan(desired));
    }

    fn edit(&mut self, id: &str, edit: impl FnOnce(&mut Live)) {
        let id = outline(id, Stage::Namespace, 0).id;
        let live = self
            .observed
            .live
            .iter_mut()
            .find(|(other, _)| other.kind == id.kind && other.name == id.name);
        edit(live.expect("it is there").1);
    }
}

fn shown(plan: &Plan) -> Vec<String> {
    let mark = |step: &Step| match &step.change {
        Change::Create { .. } => "+",
        Change::Update { .. } => "~",
        Change::Delete { .. } => "-",
        Change::SetAside { .. } => "<",
        Change::Orphan { .. } => "o",
    };
    plan.steps
        .iter()
        .map(|step| format!("{}{} {}", mark(step), if step.due { "" } else { "?" }, step.id))
        .collect()
}

#[test]
fn stages_wait_for_what_stands_before_them() {
    let mut world = World::default();
    let desired = acme();
    assert_eq!(
        shown(&world.plan(&desired)),
        [
            "+ Namespace/acme",
            "+? PersistentVolumeClaim/acme/data",
            "+? Deployment/acme/web",
            "+? Job/acme/migrate-1"
        ]
    );
    world.step(&desired);
    assert_eq!(
        shown(&world.plan(&desired)),
        ["+ PersistentVolumeClaim/acme/data", "+? Deployment/acme/web", "+? Job/acme/migrate-1"]
    );
    world.converge(&desired);
    assert!(world.plan(&desired).is_settled());
}

#[test]
fn the_jobs_of_a_stage_run_one_after_the_other() {
    let mut desired = acme();
    desired.push(outline("Job/acme/a-seed", Stage::Data, 1));
    let mut world = World::default();
    for _ in 0..3 {
        world.step(&desired);
    }
    assert_eq!(shown(&world.plan(&desired)), ["+ Job/acme/migrate-1", "+? Job/acme/a-seed"]);
    world.step(&desired);
    world.edit("Job/acme/migrate-1", |live| {
        live.health = Health::Progressing("it is running".into());
    });
    assert_eq!(shown(&world.plan(&desired)), ["+? Job/acme/a-seed"]);
    world.edit("Job/acme/migrate-1", |live| live.health = Health::Ready);
    assert_eq!(shown(&world.plan(&desired)), ["+ Job/acme/a-seed"]);
}

#[test]
fn what_is_unhealthy_holds_back_news_but_not_repairs() {
    let mut world = World::default();
    let desired = acme();
    world.converge(&desired);
    world.edit("Deployment/acme/web", |live| {
        live.health = Health::Failed("CrashLoopBackOff".into());
    });
    world.edit("Job/acme/migrate-1", |live| live.owned = Digest::of(b"edited"));
    assert_eq!(shown(&world.plan(&desired)), ["~ Job/acme/migrate-1"], "a repair goes at once");

    let mut next = acme();
    next[3] = outline("Job/acme/migrate-2", Stage::Data, 2);
    assert_eq!(shown(&world.plan(&next)), ["+? Job/acme/migrate-2", "- Job/acme/migrate-1"]);
}

#[test]
fn each_kind_of_drift_is_put_back_and_named() {
    type Edit = fn(&mut Live);
    let edits: [(&str, Edit, &str); 3] = [
        ("edited", |live| live.owned = Digest::of(b"other"), "edited"),
        ("marked", |live| live.rendered = None, "its marks were changed"),
        ("labelled", |live| live.foreign_labels = vec!["team".into()], "foreign label team"),
    ];
    for (name, edit, expected) in edits {
        let mut world = World::default();
        world.converge(&acme());
        world.edit("Deployment/acme/web", edit);
        let plan = world.plan(&acme());
        let [step] = &plan.steps[..] else { panic!("{name}: {plan:?}") };
        let Change::Update { cause: Cause::Drift { what, .. }, .. } = &step.change else {
            panic!("{name}: {step:?}")
        };
        assert_eq!(what, expected);
    }
    let mut world = World::default();
    world.converge(&acme());
    world.observed.live.retain(|id, _| &*id.kind != "Deployment");
    assert_eq!(shown(&world.plan(&acme())), ["+ Deployment/acme/web"]);
}

#[test]
fn a_namespace_takes_along_what_stands_in_it_and_the_inventory_forgets_it_when_it_is_gone() {
    let mut world = World::default();
    world.converge(&acme());
    assert_eq!(shown(&world.plan(&[])), ["- Namespace/acme"]);
    world.converge(&[]);
    assert!(world.observed.inventory.entries.is_empty());
    assert!(world.observed.live.is_empty());
}

#[test]
fn a_namespace_stays_while_anything_in_it_is_kept() {
    let mut desired = acme();
    desired[1].on_delete = OnDelete::Keep;
    let mut world = World::default();
    world.converge(&desired);
    assert_eq!(shown(&world.plan(&[])), ["- Job/acme/migrate-1", "- Deployment/acme/web"]);
    world.converge(&[]);
    let kept: Vec<String> = world.plan(&[]).kept.iter().map(ToString::to_string).collect();
    assert_eq!(kept, ["PersistentVolumeClaim/acme/data", "Namespace/acme"]);
    assert_eq!(world.observed.inventory.entries.len(), 2, "what is kept stays in the inventory");
}

#[test]
fn what_is_purged_goes_whatever_its_policy_was_and_its_namespace_with_it() {
    let name = |name: &str| Some(name.parse().unwrap());
    let mut desired = acme();
    desired.push(outline("Database/acme/db", Stage::Database, 1));
    for kept in [0, 1, 4] {
        desired[kept].on_delete = OnDelete::Keep;
    }
    for own in [1, 2, 3, 4] {
        desired[own].subscription = name("school");
    }
    let database = desired[4].id.clone();
    let mut world = World::default();
    world.converge(&desired);
    let for_thirty = Some(Aside::For(SignedDuration::from_hours(24 * 30)));
    world.observed.live.get_mut(&database).expect("it was made").aside = for_thirty;
    world.converge(&[]);
    assert_eq!(world.observed.inventory.entries.len(), 3, "all three are kept");

    world.observed.purged = ["blog".parse().unwrap()].into();
    assert!(world.plan(&[]).steps.is_empty(), "another's purge is nothing to it");
    world.observed.purged = ["school".parse().unwrap()].into();
    let parked = plan(&[], &world.observed, &Deletions::Parked);
    assert!(parked.steps.is_empty() && parked.parked.len() == 3, "the limit counts: {parked:?}");
    assert_eq!(departing(&[], &world.observed).len(), 3);
    assert_eq!(shown(&world.plan(&[])), ["- Database/acme/db", "- Namespace/acme"], "at once");

    // A neighbour in the same namespace keeps what is its own.
    let mut neighbour = world.observed.clone();
    let claim = neighbour.inventory.entries.iter().find(|(id, _)| id.holds_data()).unwrap();
    let (mut id, mut entry) = (claim.0.clone(), claim.1.clone());
    (id.name, entry.subscription) = ("other".into(), name("blog"));
    neighbour.live.insert(id.clone(), world.observed.live[claim.0].clone());
    neighbour.inventory.entries.insert(id, entry);
    let beside = plan(&[], &neighbour, &Deletions::Allowed);
    assert_eq!(shown(&beside), ["- Database/acme/db", "- PersistentVolumeClaim/acme/data"]);
    let kept: Vec<String> = beside.kept.iter().map(ToString::to_string).collect();
    assert_eq!(kept, ["PersistentVolumeClaim/acme/other", "Namespace/acme"]);

    world.converge(&[]);
    assert!(world.observed.live.is_empty() && world.observed.inventory.entries.is_empty());
}

#[test]
fn a_purge_that_was_cut_short_goes_on_with_an_empty_namespace() {
    let mut desired = acme();
    for kept in &mut desired[..2] {
        kept.on_delete = OnDelete::Keep;
    }
    desired[1].subscription = Some("school".parse().unwrap());
    let mut world = World::default();
    world.converge(&desired);
    world.converge(&[]);
    world.observed.purged = ["school".parse().unwrap()].into();
    let announced = inventory::announcing(&[], &world.observed).expect("two are about to go");
    world.observed.inventory = announced;
    world.delete(&desired[1].id);
    world.observed.inventory = inventory::after(&[], &world.observed);
    assert_eq!(shown(&world.plan(&[])), ["- Namespace/acme"]);
    world.observed.purged.clear();
    assert!(world.plan(&[]).steps.is_empty(), "a revert keeps what is still there");
}

#[test]
fn parked_deletions_stay_and_everything_else_goes_on() {
    let mut world = World::default();
    world.converge(&acme());
    let mut next = vec![
        outline("Namespace/acme", Stage::Namespace, 1),
        outline("Service/acme/new", Stage::Services, 1),
    ];
    let parked = plan(&next, &world.observed, &Deletions::Parked);
    assert_eq!(shown(&parked), ["+ Service/acme/new", "- Job/acme/migrate-1"]);
    assert_eq!(parked.parked.len(), 2, "{:?}", parked.parked);
    next.clear();
    assert_eq!(shown(&plan(&next, &world.observed, &Deletions::Announced)), ["-? Namespace/acme"]);
}

#[test]
fn nothing_is_made_in_a_namespace_that_is_leaving() {
    let mut world = World::default();
    world.converge(&acme());
    world.edit("Namespace/acme", |live| live.deleting = true);
    world.observed.live.retain(|id, _| &*id.kind != "Deployment");
    let plan = world.plan(&acme());
    assert!(plan.steps.is_empty(), "{plan:?}");
    assert_eq!(plan.blocked.len(), 2);
}

#[test]
fn a_database_server_that_is_away_proves_nothing() {
    let mut desired = acme();
    desired.push(outline("Database/acme/main", Stage::Database, 1));
    let mut world = World::default();
    world.converge(&desired);
    world.observed.live.retain(|id, _| !id.is_database());
    world.observed.databases_away = Some("the server is away".into());
    assert!(world.plan(&desired).is_settled(), "what was applied counts as there");
    let gone = world.plan(&acme());
    assert_eq!(gone.blocked.len(), 1);
    assert!(inventory::after(&acme(), &world.observed).entries.keys().any(ResourceId::is_database));
}

#[test]
fn subscriptions_wait_for_what_they_share_and_not_for_each_other() {
    let name = |name: &str| Some(name.parse::<Name>().unwrap());
    let mut desired = acme();
    desired[2].subscription = name("one");
    desired[3].subscription = name("one");
    let mut other = outline("Job/acme/other", Stage::Data, 1);
    other.subscription = name("two");
    desired.push(other);
    let mut world = World::default();
    world.step(&desired);
    world.step(&desired);
    assert_eq!(
        shown(&world.plan(&desired)),
        ["+ Deployment/acme/web", "+? Job/acme/migrate-1", "+ Job/acme/other"],
        "the other subscription's job does not wait for this one's service"
    );
    world.converge(&desired);
    world.edit("Deployment/acme/web", |live| {
        live.health = Health::Progressing("1 of 2 replicas".into());
    });
    let progress = progress::progress(&desired, &world.observed);
    assert_eq!(progress.len(), 2);
    assert!(!progress[0].is_ready() && progress[1].is_ready());
}

fn departure(unit: &str, ids: &[(&str, bool)]) -> limits::Departure {
    limits::Departure {
        unit: UnitName::Tenant(unit.parse().unwrap()),
        inventory: "uid".into(),
        whole_unit: true,
        ids: ids
            .iter()
            .map(|(id, announced)| (outline(id, Stage::Namespace, 0).id, *announced))
            .collect(),
    }
}

#[test]
fn more_than_the_limit_is_parked_until_its_digest_is_approved() {
    let limit = DeletionLimit { tenants: 1, namespaces: 9, data: 9, objects: 9 };
    let two =
        [departure("a", &[("Namespace/a", false)]), departure("b", &[("Namespace/b", false)])];
    assert_eq!(limits::judge(&two[..1], &limit, &[], None), limits::Verdict::Allowed);
    let limits::Verdict::Parked { digest, reason } = limits::judge(&two, &limit, &[], None) else {
        panic!("two tenants are over the limit")
    };
    assert_eq!(reason, "2 tenants would be deleted at once, and the limit is 1");
    assert_eq!(limits::judge(&two, &limit, &[digest], None), limits::Verdict::Allowed);

    let three = [two[0].clone(), two[1].clone(), departure("c", &[("Namespace/c", false)])];
    assert!(matches!(
        limits::judge(&three, &limit, &[digest], None),
        limits::Verdict::Parked { .. }
    ));
}

#[test]
fn an_approved_deletion_that_was_cut_short_goes_on() {
    let limit = DeletionLimit { tenants: 0, namespaces: 0, data: 0, objects: 0 };
    let announced =
        [departure("a", &[("Namespace/a", true)]), departure("b", &[("Namespace/b", true)])];
    assert_eq!(limits::judge(&announced, &limit, &[], None), limits::Verdict::Allowed);
}

#[test]
fn no_tenant_goes_while_a_file_cannot_be_read() {
    let limit = DeletionLimit::default();
    let verdict = limits::judge(
        &[departure("a", &[("Namespace/a", false)])],
        &limit,
        &[],
        Some("`x.yaml` cannot be read"),
    );
    assert!(matches!(verdict, limits::Verdict::Parked { .. }));
}

prop_compose! {
    fn any_outline()(kind in 0..4_usize, name in 0..4_u8, namespace in 0..2_u8, stage in 0..6_usize, version in 0..3_u8, keep in 0..4_u8) -> Outline {
        let kind = ["Deployment", "Secret", "Job", "PersistentVolumeClaim"][kind];
        let mut outline = outline(&format!("{kind}/n{namespace}/{name}"), Stage::ALL[stage], version);
        if keep == 0 { outline.on_delete = OnDelete::Keep; }
        outline
    }
}

/// Outlines with the namespaces they stand in, each id once.
fn any_desired() -> impl Strategy<Value = Vec<Outline>> {
    proptest::collection::vec(any_outline(), 0..12).prop_map(|outlines| {
        let mut by_id: BTreeMap<ResourceId, Outline> = BTreeMap::new();
        for made in outlines {
            let namespace =
                outline(&format!("Namespace/{}", made.id.namespace), Stage::Namespace, 1);
            by_id.entry(namespace.id.clone()).or_insert(namespace);
            by_id.entry(made.id.clone()).or_insert(made);
        }
        let mut all: Vec<Outline> = by_id.into_values().collect();
        all.sort_by_key(|outline| outline.stage);
        all
    })
}

proptest! {
    #[test]
    fn planning_after_applying_is_empty(history in proptest::collection::vec(any_desired(), 1..5)) {
        let mut world = World::default();
        for desired in &history {
            world.converge(desired);
            prop_assert!(world.plan(desired).is_settled());
            let writes = world.writes;
            world.converge(desired);
            prop_assert_eq!(world.writes, writes, "a second pass writes nothing");
            for outline in desired {
                prop_assert!(world.observed.live.contains_key(&outline.id));
            }
        }
    }

    #[test]
    fn everything_that_is_ours_is_in_the_inventory_at_every_moment(history in proptest::collection::vec(any_desired(), 1..4), cut in 0..4_usize) {
        let mut world = World::default();
        for desired in &history {
            for _ in 0..cut {
                world.step(desired);
                for id in world.observed.live.keys() {
                    prop_assert!(world.observed.inventory.entries.contains_key(id), "{} is an orphan", id);
                }
            }
        }
    }
}

#[test]
fn jobs_of_a_parked_tenant_wait_with_the_rest() {
    let mut world = World::default();
    let mut desired = acme();
    desired[0].on_delete = OnDelete::Keep;
    world.converge(&desired);
    let parked = plan(&[], &world.observed, &Deletions::Parked);
    assert!(parked.steps.is_empty(), "{:?}", shown(&parked));
    assert_eq!(parked.parked.len(), 3);

    let mut next = desired.clone();
    next[3] = outline("Job/acme/migrate-2", Stage::Data, 2);
    let replaced = plan(&next, &world.observed, &Deletions::Parked);
    assert!(shown(&replaced).contains(&"- Job/acme/migrate-1".to_owned()));
}

#[test]
fn a_database_is_set_aside_then_taken_back_or_dropped_when_its_time_has_come() {
    let days = |days: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * days);
    let desired = vec![
        outline("Namespace/acme", Stage::Namespace, 1),
        outline("Database/acme/db", Stage::Database, 1),
    ];
    let mut world = World::default();
    let for_thirty = Some(Aside::For(SignedDuration::from_hours(24 * 30)));
    let database = desired[1].id.clone();
    world.converge(&desired);
    world.observed.live.get_mut(&database).expect("it was made").aside = for_thirty;

    world.observed.at = days(10);
    assert_eq!(shown(&world.plan(&[])), ["< Database/acme/db", "- Namespace/acme"]);
    let parked = plan(&[], &world.observed, &Deletions::Parked);
    assert!(parked.steps.is_empty() && parked.parked.contains(&database), "its loss counts");
    world.converge(&[]);
    assert_eq!(world.plan(&[]).aside, [(database.clone(), days(40))]);
    assert_eq!(departing(&[], &world.observed), [], "it was judged, and is not judged again");
    assert!(world.observed.inventory.entries.contains_key(&database), "and it is not forgotten");

    let mut reverted = World { observed: world.observed.clone(), writes: 0 };
    assert_eq!(shown(&reverted.plan(&desired)), ["+ Namespace/acme", "+? Database/acme/db"]);
    reverted.converge(&desired);
    assert_eq!(reverted.observed.live[&database].set_aside(), None);

    world.observed.at = days(40) - SignedDuration::from_secs(1);
    assert!(world.plan(&[]).steps.is_empty());
    world.observed.at = days(40);
    let unsure = plan(&[], &world.observed, &Deletions::Parked);
    assert!(unsure.steps.is_empty() && unsure.parked.is_empty(), "whoever is unsure drops nothing");
    assert_eq!(shown(&world.plan(&[])), ["- Database/acme/db"]);
    world.converge(&[]);
    assert!(world.observed.live.is_empty() && world.observed.inventory.entries.is_empty());
}
