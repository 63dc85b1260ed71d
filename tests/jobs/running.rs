//! Who runs a job, and what becomes of one that fails, hangs or dies.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use jiff::SignedDuration;
use serde_json::Value;
use tenantry::jobs::Job;
use tenantry::jobs::JobError;
use tenantry::jobs::Report;
use tenantry::jobs::Runner;
use tenantry::jobs::Schedule;
use tokio::sync::Notify;

use super::World;
use crate::support::program::Program;
use crate::support::repository::TestRepo;

const MINUTE: Schedule = Schedule::Every(SignedDuration::from_mins(1));

/// A job that counts how often it was done.
fn counting(count: &Arc<AtomicUsize>) -> Job {
    let count = Arc::clone(count);
    Job::new("count", "Count", MINUTE, move |_| {
        let count = Arc::clone(&count);
        async move {
            // Long enough that whoever comes at the same time would come into it.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            Ok(Report::of(format!("{}", count.fetch_add(1, Ordering::SeqCst) + 1)))
        }
    })
}

/// A job that never ends, and says when it has begun.
fn hanging(begun: &Arc<Notify>) -> Job {
    let begun = Arc::clone(begun);
    Job::new("hang", "Hang", MINUTE, move |_| {
        let begun = Arc::clone(&begun);
        async move {
            begun.notify_one();
            std::future::pending().await
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_replicas_one_runs_a_job_and_once_each_time() {
    let Some(world) = World::open().await else { return };
    let count = Arc::new(AtomicUsize::new(0));
    let job = counting(&count);
    let daemons: Vec<_> = (0..4)
        .map(|number| world.daemon(&format!("daemon {number}"), std::slice::from_ref(&job)))
        .collect();
    for round in 1..=3 {
        let ran = futures_util::future::join_all(daemons.iter().map(Runner::tick)).await;
        let ran: usize = ran.into_iter().map(|ran| ran.unwrap().len()).sum();
        assert_eq!((ran, count.load(Ordering::SeqCst)), (1, round));
        // It is not due again before its minute is over.
        assert!(daemons[0].tick().await.unwrap().is_empty());
        world.pass(60);
    }
    let standing = world.standing(&job).await;
    assert_eq!((standing.runs, standing.failures), (3, 0));
    assert_eq!(standing.result, Some(Report::of("3")));
    assert_eq!(standing.running, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_waits_longer_each_time_and_holds_up_no_other() {
    let Some(world) = World::open().await else { return };
    let count = Arc::new(AtomicUsize::new(0));
    let failing = Job::new("fail", "Fail", MINUTE, async |_| {
        Err(JobError::BrokenOff("the moon is full".to_owned()))
    });
    let panicking = Job::new("panic", "Panic", MINUTE, async |ground| {
        assert!(ground.taken.is_some(), "the sky falls");
        Ok(Report::default())
    });
    let daemon = world.daemon("daemon", &[failing.clone(), panicking.clone(), counting(&count)]);
    let mut tries = 0;
    for _ in 0..15 {
        tries += usize::from(daemon.tick().await.unwrap().contains(&"fail"));
        world.pass(60);
    }
    assert_eq!(count.load(Ordering::SeqCst), 15, "the other runs each minute");
    // After 1, 1, 2, 4 minutes, and the next after 8.
    assert_eq!(tries, 5);
    let standing = world.standing(&failing).await;
    assert_eq!((standing.runs, standing.failures, standing.failed_in_a_row), (5, 5, 5));
    assert!(standing.last_error.unwrap().contains("the moon is full"));
    let panicked = world.standing(&panicking).await;
    assert!(panicked.last_error.unwrap().contains("panicked"), "what breaks off is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lease_of_whoever_died_ends_and_counts_as_a_failure() {
    let Some(world) = World::open().await else { return };
    let begun = Arc::new(Notify::new());
    let job = hanging(&begun);
    let dies = world.daemon("dies", std::slice::from_ref(&job));
    let dying = tokio::spawn(async move { dies.tick().await });
    begun.notified().await;
    let holder = world.standing(&job).await.running.unwrap();
    assert_eq!(holder.by, "dies");
    dying.abort();
    let count = Arc::new(AtomicUsize::new(0));
    let mut lives = counting(&count);
    lives.name = "hang";
    let heir = world.daemon("lives", &[lives]);
    assert!(heir.tick().await.unwrap().is_empty(), "it may be running yet");
    let refused = heir.by_hand("hang").await.unwrap_err();
    assert!(
        matches!(&refused, JobError::Taken { by, until, .. } if by == "dies" && *until == holder.until),
        "{refused}"
    );
    world.pass(61);
    assert_eq!(heir.tick().await.unwrap(), ["hang"]);
    let standing = world.standing(&job).await;
    assert_eq!((standing.runs, standing.failures, standing.failed_in_a_row), (2, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stops_in_order_leaves_nothing_to_wait_for() {
    let Some(world) = World::open().await else { return };
    let begun = Arc::new(Notify::new());
    let job = hanging(&begun);
    let stops = world.daemon("stops", std::slice::from_ref(&job));
    let running = tokio::spawn(stops.clone().run());
    begun.notified().await;
    running.abort();
    drop(running.await);
    stops.let_go().await;
    let mut next = counting(&Arc::default());
    next.name = "hang";
    assert_eq!(world.daemon("next", &[next]).tick().await.unwrap(), ["hang"]);
    assert_eq!(world.standing(&job).await.failures, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_by_hand_does_not_change_when_it_runs_by_itself() {
    let Some(world) = World::open().await else { return };
    let count = Arc::new(AtomicUsize::new(0));
    let job = counting(&count);
    let daemon = world.daemon("daemon", std::slice::from_ref(&job));
    assert_eq!(daemon.tick().await.unwrap(), ["count"]);
    let next = world.standing(&job).await.next_run;
    world.pass(10);
    assert_eq!(daemon.by_hand("count").await.unwrap(), Report::of("2"));
    assert_eq!(world.standing(&job).await.next_run, next);
    assert!(matches!(daemon.by_hand("cuont").await, Err(JobError::Unknown(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_the_documents_waits_for_them() {
    let Some(world) = World::open().await else { return };
    let count = Arc::new(AtomicUsize::new(0));
    let daemon = world.daemon("daemon", &[counting(&count).with_documents()]);
    assert!(daemon.tick().await.unwrap().is_empty());
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_lists_jobs_and_runs_one_by_hand() {
    let Some(world) = World::open().await else { return };
    let repository = TestRepo::bare();
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tenants-example");
    repository.write_folder(&example, "").commit("the example");
    let program = |arguments: &str| {
        Program::with(arguments)
            .quiet_variable("DATABASE_URL", &world.url)
            .quiet_variable("TENANTRY_REPOSITORY", &repository.path().display().to_string())
            .run()
    };
    let listed = program("jobs list");
    assert_eq!((listed.code, listed.err.as_str()), (0, ""), "{}", listed.err);
    assert!(listed.out.contains("verify-ledger"), "{}", listed.out);
    assert!(listed.out.contains("waits for its first run"), "{}", listed.out);

    let ran = program("jobs run verify-ledger");
    assert_eq!((ran.code, ran.out.as_str()), (0, "the ledger adds up\n"), "{}", ran.err);
    let listed: Value = serde_json::from_str(&program("jobs list -o json").out).unwrap();
    let jobs = listed["jobs"].as_array().unwrap();
    let job = jobs.iter().find(|job| job["name"] == "verify-ledger").unwrap();
    assert_eq!(job["result"]["summary"], "the ledger adds up");
    assert_eq!((&job["runs"], &job["failures"]), (&1.into(), &0.into()));

    let near = program("jobs run verify-leger");
    assert_eq!(near.code, 1);
    assert!(near.err.contains("did you mean `verify-ledger`?"), "{}", near.err);

    sqlx::query(
        "update job set lease = gen_random_uuid(), leased_by = 'saigon/7', leased_until = '2126-01-01T00:00:00Z'
         where name = 'verify-ledger'",
    )
    .execute(world.pool())
    .await
    .unwrap();
    let beaten = program("jobs run verify-ledger");
    assert_eq!(beaten.code, 1);
    assert!(
        beaten.err.contains("saigon/7 is running verify-ledger already, until 2126-01-01"),
        "{}",
        beaten.err
    );
}
