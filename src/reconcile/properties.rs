//! Planning after applying is empty, whatever was there before, and the way does not matter.

use proptest::prelude::*;

use super::desired::advance;
use super::fake::FakeTarget;
use super::fake::World;
use super::tests::Daemon;
use super::*;
use crate::model::Commit;
use crate::model::Snapshot;
use crate::model::resource::OnDelete;
use crate::plan::Deletions;
use crate::plan::Observed;
use crate::plan::plan;

#[path = "../../tests/support/business.rs"]
mod business;

use business::Business;
use business::any_business;

fn snapshot(commit: usize, business: &Business) -> Snapshot {
    Snapshot::of(Commit::new(&commit.to_string()), &business.files)
}

fn time(business: &Business) -> Timestamp {
    business.at.parse().unwrap()
}

/// Takes a commit at its time, until all is done, and expects that nobody is left behind.
async fn converge(daemon: &mut Daemon, commit: usize, business: &Business) {
    *daemon.clock.lock().unwrap() = time(business);
    let states = daemon.converge(&snapshot(commit, business)).await;
    let left = states.iter().find(|(_, state)| !matches!(state, State::Converged | State::Retired));
    assert_eq!(left, None);
}

/// Plans for everybody who is wanted and everybody who has anything.
fn assert_nothing_is_left_to_do(world: &Arc<World>, business: &Business) {
    let desired = advance(None, &snapshot(0, business), time(business));
    assert!(desired.held.is_empty(), "{:?}", desired.held);
    let target = FakeTarget(Arc::clone(world));
    for unit in target.units().into_iter().chain(desired.units.keys().cloned()) {
        let observed = target.observed(&unit).expect("it can be looked at");
        let observed = Observed { at: time(business), ..observed };
        let outlines = desired.units.get(&unit).map_or(&[][..], |unit| &unit.outlines);
        let plan = plan(outlines, &observed, &Deletions::Allowed);
        assert!(plan.is_settled(), "{unit}: {plan:?}");
        // Whether a task was begun depends on when it was asked for and read.
        for outline in outlines.iter().filter(|outline| outline.task.is_none()) {
            let live = observed.live.get(&outline.id).map(|live| live.rendered);
            assert_eq!(live, Some(Some(outline.digest)), "{} of {unit}", outline.id);
        }
    }
}

/// What nobody asks for and stays, because its policy says so, and the namespaces around it.
fn kept(world: &World) -> BTreeSet<String> {
    let things = world.things.lock().unwrap();
    let entries = things.values().flat_map(|observed| &observed.inventory.entries);
    let kept = entries.filter(|(_, entry)| entry.on_delete == OnDelete::Keep);
    kept.flat_map(|(id, _)| [id.to_string(), format!("Namespace/{}", id.namespace)]).collect()
}

async fn the_way_does_not_matter(story: &[Business]) {
    let world = Arc::new(World::default());
    let mut daemon = Daemon::over(&world);
    for (commit, business) in story.iter().enumerate() {
        converge(&mut daemon, 2 * commit, business).await;
        assert_nothing_is_left_to_do(&world, business);
        world.assert_no_orphans();
        world.take_log();
        converge(&mut daemon, 2 * commit + 1, business).await;
        assert_eq!(world.take_log(), [""; 0], "a second pass writes nothing");
    }
    let Some(last) = story.last() else { return };
    let mut restarted = Daemon::over(&world);
    converge(&mut restarted, 2 * story.len(), last).await;
    assert_eq!(world.take_log(), [""; 0], "nor does a daemon that starts again");

    let straight = Arc::new(World::default());
    converge(&mut Daemon::over(&straight), 0, last).await;
    let (mut there, wanted) = (world.picture(), straight.picture());
    let kept = kept(&world);
    there.retain(|id, _| wanted.contains_key(id) || !kept.contains(id));
    let all = there.keys().chain(wanted.keys());
    let all = all.filter(|id| !id.contains("/task-"));
    let differ: Vec<&String> = all.filter(|id| there.get(*id) != wanted.get(*id)).collect();
    assert_eq!(differ, [""; 0], "what is there depends on more than the last commit");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn planning_after_applying_is_empty(mut story in proptest::collection::vec(any_business(), 1..5)) {
        // The clock does not go back.
        story.sort_by_key(time);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(the_way_does_not_matter(&story));
    }
}
