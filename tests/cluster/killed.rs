//! The same history with a daemon that is killed again and again, each time somewhere else.

use std::hash::BuildHasher as _;
use std::time::Duration;

use super::ground::Ground;
use super::story;

/// Of how many commits each third is killed twice: 40 commits and 14 more.
const TWICE: usize = 3;
/// Most of what a commit asks for is done within this time.
const WITHIN: Duration = Duration::from_millis(2500);

/// Other moments in every run. The seed is printed, so that a failure can be told again.
struct Moments {
    seed: u64,
    next: u64,
}

impl Moments {
    fn of(seed: Option<u64>) -> Self {
        let chance = || std::collections::hash_map::RandomState::new().hash_one("moments");
        Self { seed: seed.unwrap_or_else(chance), next: 0 }
    }

    /// More of them early, where more happens.
    fn next(&mut self) -> Duration {
        self.next += 1;
        let digest = tenantry::model::Digest::of(format!("{} {}", self.seed, self.next).as_bytes());
        let share = u32::from_str_radix(&digest.to_string()[..4], 16).unwrap();
        WITHIN * share / 0xffff * share / 0xffff
    }
}

async fn killed_at_any_moment_it_loses_nothing_and_doubles_nothing(ground: Option<Ground>) {
    let Some(ground) = ground else { return };
    let seed = std::env::var("TENANTRY_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let mut moments = Moments::of(seed);
    println!("{}: TENANTRY_TEST_SEED={}", ground.name, moments.seed);
    story::begin(&ground);
    let daemon = ground.start_daemon().await;
    let daemon = story::each_commit_settles(daemon, &ground.repository.head()).await;
    let mut commits = 0;
    let mut kills = 0;
    let ground = &ground;
    let daemon = story::tell(ground, daemon, async |mut daemon, commit| {
        commits += 1;
        for _ in 0..if commits % TWICE == 0 { 2 } else { 1 } {
            tokio::time::sleep(moments.next()).await;
            daemon.kill();
            kills += 1;
            daemon = ground.start_daemon().await;
        }
        story::each_commit_settles(daemon, commit).await
    })
    .await;
    assert!(kills >= 50, "{kills} kills");
    assert_eq!(daemon.stop().await, Some(0));
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
