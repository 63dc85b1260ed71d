//! A run that is cut anywhere goes on, and two never do the same at once.

use std::time::Duration;

use tenantry::apply::host::HostError;

use super::Story;

/// Enough to do that it can be cut in the middle.
fn catalog() -> String {
    let first =
        "- user: {name: kkt, home: /srv/kkt}\n- directory: {path: /srv/kkt/etc, owner: kkt}\n";
    let text = "line\\n".repeat(200);
    let file = |number: usize| {
        format!("- file: {{path: /srv/kkt/etc/{number}, content: \"{text}\", owner: kkt}}\n")
    };
    let files: Vec<String> = (0..12).map(file).collect();
    format!("{first}{}- package: {{name: tree}}\n", files.concat())
}

async fn settled(story: &Story) {
    // What was begun on the host ends there, and holds the lock until it has. Whoever looked before
    // that is told so, and looks again.
    for _ in 0..10 {
        match story.try_to_apply(&catalog()).await {
            Err(HostError::Moved { .. }) => {}
            pass => {
                pass.expect("nothing else is in the way");
                break;
            }
        }
    }
    story.apply(&catalog()).await;
    // No half of a file is left, and no lock.
    assert_eq!(story.vds.shell("find /srv /etc -name '*.tenantry'"), "");
    assert_eq!(story.vds.shell("cat /srv/kkt/etc/* | sort -u"), "line");
    story.vds.shell("flock -n /var/lib/tenantry/lock true");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_whose_connection_is_cut_is_finished_by_the_next_one() {
    let Some(story) = Story::begin() else { return };
    for after in [120, 250, 400, 600, 900] {
        let catalog = catalog();
        let pass = story.try_to_apply(&catalog);
        // Whoever waits goes away in the middle: as if the daemon were killed.
        let _ = tokio::time::timeout(Duration::from_millis(after), pass).await;
    }
    settled(&story).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_whose_host_loses_power_is_finished_by_the_next_one() {
    let Some(story) = Story::begin() else { return };
    for after in [300, 500, 1500] {
        let catalog = catalog();
        let pass = story.try_to_apply(&catalog);
        let _ = tokio::time::timeout(Duration::from_millis(after), pass).await;
        story.vds.does("kill");
        story.vds.does("start");
    }
    settled(&story).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_at_work_is_waited_for_and_then_told() {
    let Some(story) = Story::begin() else { return };
    let vds = &story.vds;
    vds.shell("mkdir -p /var/lib/tenantry; printf 'a person' > /var/lib/tenantry/holder; (flock 9; sleep 30) 9>/var/lib/tenantry/lock >/dev/null 2>&1 &");
    let error = story.try_to_apply("- file: {path: /srv/motd, content: x}\n").await;
    let error = error.expect_err("it is busy");
    assert!(matches!(&error, HostError::Busy { who, .. } if who == "a person"), "{error}");
    assert!(!vds.tried("test -e /srv/motd").0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_passes_at_once_come_to_one_end() {
    let Some(story) = Story::begin() else { return };
    let asked = "- file: {path: /srv/motd, content: x}\n- user: {name: kkt}\n";
    let (one, other) = tokio::join!(story.try_to_apply(asked), story.try_to_apply(asked));
    let good = [&one, &other].into_iter().filter(|pass| pass.is_ok()).count();
    assert!(good >= 1, "{one:?} {other:?}");
    for pass in [one, other] {
        if let Err(error) = pass {
            assert!(matches!(error, HostError::Moved { .. }), "{error}");
        }
    }
    assert!(story.plan(asked).await.is_well());
}
