//! The same history with a daemon that is killed again and again, each time somewhere else.

use std::hash::BuildHasher as _;
use std::time::Duration;

use crate::support::daemon::Daemon;

use super::ground::Ground;
use super::story::CHAPTERS;
use super::story::Story;
use super::story::settled;

/// Most of what a commit asks for is done within this time.
const WITHIN: Duration = Duration::from_millis(2500);

/// Other moments in every run. The seed is printed, so that a failure can be told again.
pub(super) struct Moments {
    pub(super) seed: u64,
    within: Duration,
    next: u64,
}

impl Moments {
    pub(super) fn of(seed: Option<u64>, within: Duration) -> Self {
        let chance = || std::collections::hash_map::RandomState::new().hash_one("moments");
        Self { seed: seed.unwrap_or_else(chance), within, next: 0 }
    }

    /// More of them early, where more happens.
    pub(super) fn next(&mut self) -> Duration {
        self.next += 1;
        let digest = tenantry::model::Digest::of(format!("{} {}", self.seed, self.next).as_bytes());
        let share = u32::from_str_radix(&digest.to_string()[..4], 16).unwrap();
        self.within * share / 0xffff * share / 0xffff
    }
}

/// Lets the daemon run for a moment, and kills it wherever it is.
async fn kill(daemon: Daemon, moments: &mut Moments) {
    tokio::time::sleep(moments.next()).await;
    daemon.kill();
}

async fn killed_at_any_moment_it_loses_nothing_and_doubles_nothing(ground: Option<Ground>) {
    let Some(ground) = ground else { return };
    let ground = &ground;
    let seed = std::env::var("TENANTRY_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let mut moments = Moments::of(seed, WITHIN);
    println!("{}: TENANTRY_TEST_SEED={}", ground.name, moments.seed);
    let (mut story, mut daemon) = Story::begin(ground).await;

    for chapter in &CHAPTERS {
        // Cut short, and taken back before anybody goes on: what was begun is undone.
        story.commit(chapter);
        kill(daemon, &mut moments).await;
        let mut again = None;
        story
            .take_back(async |revert| {
                let started = ground.start_daemon().await;
                settled(&started, revert).await;
                again = Some(started);
            })
            .await;
        let before = story.now();

        // Cut short again, and gone on with.
        let commit = story.commit(chapter);
        kill(again.expect("it was started"), &mut moments).await;
        daemon = ground.start_daemon().await;
        settled(&daemon, &commit).await;
        story.look().await;
        story.may_have_begun(&before);
    }
    loop {
        let moments = &mut moments;
        let mut again = None;
        let told = story
            .take_back(async |revert| {
                kill(daemon, moments).await;
                let started = ground.start_daemon().await;
                settled(&started, revert).await;
                again = Some(started);
            })
            .await;
        match again {
            Some(started) if told => daemon = started,
            _ => break,
        }
    }
    story.end();
    let kills = moments.next;
    assert!(kills >= 50, "{kills} kills");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_loses_nothing_and_doubles_nothing_on_the_sandbox() {
    killed_at_any_moment_it_loses_nothing_and_doubles_nothing(Ground::on_a_sandbox().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_loses_nothing_and_doubles_nothing_on_the_real_server() {
    killed_at_any_moment_it_loses_nothing_and_doubles_nothing(Ground::on_a_real_server().await)
        .await;
}
