//! Units of systemd, and what they owe for what they read.

use super::Story;
use super::done;
use super::server;

fn catalog(greeting: &str, port: u16) -> String {
    format!(
        "{}\
         - file: {{path: /srv/web/env, content: \"GREETING={greeting}\\n\"}}\n\
         - file: {{path: /srv/web/index.html, content: \"{greeting}\\n\"}}\n\
         - unit: {{name: web.service, restartsWith: [file /srv/web/env], reloadsWith: [file /srv/web/index.html]}}\n",
        server(port)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_is_started_restarted_put_back_and_taken_off() {
    let Some(story) = Story::begin() else { return };
    let vds = &story.vds;
    let main = || vds.shell("systemctl show -P MainPID web.service");
    let steps = story.apply(&catalog("hello", 8000)).await;
    assert_eq!(steps.last().unwrap(), "create unit web.service");
    assert_eq!(vds.shell("systemctl is-enabled web.service"), "enabled");
    let first = main();

    // What it says, and what it reads, both have it started anew.
    story.apply(&catalog("hello", 8001)).await;
    let second = main();
    assert_ne!(second, first);
    assert!(vds.shell("ss -Hltn sport = :8001").contains("8001"));

    // A person stops and disables it.
    vds.shell("systemctl disable --now web.service");
    assert_eq!(story.apply(&catalog("hello", 8001)).await, ["change unit web.service"]);
    assert_eq!(vds.shell("systemctl is-active web.service"), "active");

    // It goes before its file does.
    let gone = story.apply("- directory: {path: /srv/web}\n").await;
    assert_eq!(gone[0], "remove unit web.service");
    assert!(!vds.tried("systemctl cat web.service").0);
    assert!(!vds.shell("ss -Hltn sport = :8001").contains("8001"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_is_owed_whoever_wrote_what_it_reads_and_whoever_died_before_it() {
    let Some(story) = Story::begin() else { return };
    let vds = &story.vds;
    let asked = catalog("hello", 8000);
    story.apply(&asked).await;
    let main = || vds.shell("systemctl show -P MainPID web.service");
    let first = main();

    // A run was cut between the writing of the file and the restart: the file is as it should be,
    // and nobody remembers.
    let changed = catalog("good evening", 8000);
    vds.shell("printf 'GREETING=good evening\\n' > /srv/web/env; printf 'good evening\\n' > /srv/web/index.html");
    assert_eq!(story.apply(&changed).await, ["change unit web.service"]);
    assert_ne!(main(), first);

    // Only what can be read again while it runs changed: it is not started anew.
    let second = main();
    vds.shell("rm -f /run/web-was-reloaded; touch /srv/web/index.html");
    assert_eq!(story.apply(&changed).await, ["change unit web.service"]);
    assert_eq!(main(), second);
    vds.shell("ls /run/web-was-reloaded");

    // Its own file was changed by somebody who told nobody.
    vds.shell("echo '# mine' >> /etc/systemd/system/web.service");
    assert_eq!(
        story.apply(&changed).await,
        ["change back file /etc/systemd/system/web.service", "change unit web.service"]
    );
    assert_eq!(vds.shell("systemctl show -P NeedDaemonReload web.service"), "no");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_cannot_start_is_told_with_its_last_words() {
    let Some(story) = Story::begin() else { return };
    let broken = "- file:\n    path: /etc/systemd/system/broken.service\n    content: |\n      \
        [Service]\n      ExecStart=/bin/sh -c 'echo the moon is missing; exit 3'\n      \
        [Install]\n      WantedBy=multi-user.target\n- unit: {name: broken.service}\n";
    let converged = story.try_to_apply(broken).await.unwrap();
    let told = format!("{:?}", converged.carried);
    assert!(told.contains("the moon is missing"), "{told}");
    assert_eq!(done(&converged.left), ["change unit broken.service"]);
    let missing = story.try_to_apply("- unit: {name: no-such.service}\n").await.unwrap();
    assert!(format!("{:?}", missing.carried).contains("no-such.service"));
}
