//! The whole example converges, and once it has, nobody is bothered any more.

use crate::support::daemon::Daemon;
use crate::support::daemon::Settled;

use super::ground::Ground;
use super::ground::Server;
use super::picture::COLLECTIONS;
use super::picture::Picture;

/// What a daemon asked of the cluster.
#[derive(Debug, Default)]
struct Asked {
    writes: Vec<String>,
    reads_of_one: Vec<String>,
    lists: usize,
}

fn assert_all_well(settled: &Settled, daemon: &Daemon) {
    for unit in &settled.units {
        assert_eq!(unit.state, "converged", "{unit:?}\n{}", daemon.said());
    }
    let tenants = std::fs::read_dir(super::ground::example().join("tenants")).unwrap().count();
    assert_eq!(settled.units.len(), tenants, "{settled:?}");
}

/// Starts a daemon over what has converged, gives it a commit that changes nothing, and tells what
/// it asked.
async fn second_pass(ground: &Ground) -> Asked {
    let earlier = match &ground.server {
        Server::Real { server, .. } => server.audited("tenantry/").len(),
        Server::Sandbox(_) => 0,
    };
    let counted = match &ground.server {
        Server::Sandbox(sandbox) => sandbox.requests(),
        Server::Real { .. } => tenantry::sandbox::RequestCounts::default(),
    };
    let daemon = ground.start_daemon().await;
    assert_all_well(&daemon.settled(&ground.repository.head()).await, &daemon);
    ground.repository.write("README.md", "Nothing that runs.\n");
    let nothing = ground.repository.commit("nothing that runs");
    assert_all_well(&daemon.settled(&nothing).await, &daemon);
    let metrics = daemon.get("/metrics").await.unwrap();
    assert!(metrics.contains("tenantry_runs_total 0\n"), "{metrics}");
    assert_eq!(daemon.stop().await, Some(0));

    let mut asked = Asked::default();
    match &ground.server {
        Server::Real { server, .. } => {
            for request in &server.audited("tenantry/")[earlier..] {
                let named = request.object_ref.as_ref().is_some_and(|it| it.name.is_some());
                let said = format!("{} {}", request.verb, request.path);
                match &*request.verb {
                    "watch" => {}
                    "list" => asked.lists += 1,
                    "get" if !named => {}
                    "get" => asked.reads_of_one.push(said),
                    _ => asked.writes.push(said),
                }
            }
        }
        Server::Sandbox(sandbox) => {
            for (what, count) in sandbox.requests().since(&counted).iter() {
                let said = format!("{what}: {count}");
                match what.split(' ').next() {
                    Some("watch" | "discover") => {}
                    Some("list") => asked.lists += usize::try_from(count).unwrap(),
                    Some("get") => asked.reads_of_one.push(said),
                    _ => asked.writes.push(said),
                }
            }
        }
    }
    asked
}

async fn a_second_pass_writes_nothing_and_reads_no_single_object(ground: Option<Ground>) {
    let Some(ground) = ground else { return };
    let daemon = ground.start_daemon().await;
    assert_all_well(&daemon.settled(&ground.repository.head()).await, &daemon);
    let picture = Picture::of(&ground).await;
    picture.assert_no_orphans(&ground).await;
    assert!(picture.objects.len() > 100, "the whole example is there: {}", picture.objects.len());
    assert_eq!(daemon.stop().await, Some(0));

    let asked = second_pass(&ground).await;
    assert_eq!(asked.writes, Vec::<String>::new());
    // The password of the database server is the one thing that is read by its name.
    let of_objects =
        |said: &&String| !said.contains("postgres-admin") && !said.starts_with("get secrets:");
    assert_eq!(asked.reads_of_one.iter().filter(of_objects).collect::<Vec<_>>(), [""; 0]);
    assert!(asked.lists > 0 && asked.lists <= 2 * COLLECTIONS.len(), "{asked:?}");
    let now = Picture::of(&ground).await;
    assert_eq!(now.differences(&picture), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_pass_writes_nothing_and_reads_no_single_object_on_the_sandbox() {
    a_second_pass_writes_nothing_and_reads_no_single_object(Ground::on_a_sandbox().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_pass_writes_nothing_and_reads_no_single_object_on_the_real_server() {
    a_second_pass_writes_nothing_and_reads_no_single_object(Ground::on_a_real_server().await).await;
}
