//! What runs by the clock.

use super::Story;

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_by_the_clock_is_a_timer_that_is_made_changed_and_taken_off() {
    let Some(story) = Story::begin() else { return };
    let vds = &story.vds;
    let catalog = |schedule: &str| {
        format!(
            "- user: {{name: kkt, home: /srv/kkt}}\n- cron:\n    name: mark\n    schedule: \"{schedule}\"\n    \
             user: kkt\n    run: [touch, \"/srv/kkt/it's 100 % $HOME\"]\n"
        )
    };
    let steps = story.apply(&catalog("*-*-* 02:30:00")).await;
    assert_eq!(
        steps[1..],
        [
            "create file /etc/systemd/system/mark.service",
            "create file /etc/systemd/system/mark.timer",
            "create unit mark.timer"
        ]
    );
    assert!(vds.shell("systemctl list-timers mark.timer").contains("02:30:00"));
    vds.shell("systemctl start mark.service");
    assert_eq!(vds.shell("cd /srv/kkt; ls *%*"), "it's 100 % $HOME");

    story.apply(&catalog("*-*-* 03:45:00")).await;
    assert!(vds.shell("systemctl list-timers mark.timer").contains("03:45:00"));
    let converged = story.try_to_apply(&catalog("every full moon")).await.unwrap();
    assert!(!converged.went_well());
    assert!(format!("{:?}", converged.carried).contains("mark.timer"), "{converged:?}");
    story.apply(&catalog("daily")).await;
    story.apply("- user: {name: kkt, home: /srv/kkt}\n").await;
    assert!(!vds.tried("systemctl cat mark.timer").0);
}
