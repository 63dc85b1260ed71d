//! Settings of the kernel, and programs that run until there is nothing to do.

use super::Story;
use super::done;

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_of_the_kernel_is_made_changed_put_back_and_taken_off() {
    let Some(story) = Story::begin() else { return };
    let vds = &story.vds;
    let catalog =
        |value: &str| format!("- sysctl: {{key: net.core.somaxconn, value: \"{value}\"}}\n");
    let name = "sysctl net.core.somaxconn";
    assert_eq!(story.apply(&catalog("5000")).await, [format!("change {name}")]);
    assert_eq!(vds.shell("sysctl -n net.core.somaxconn"), "5000");
    let file = "/etc/sysctl.d/90-tenantry-net.core.somaxconn.conf";
    assert_eq!(vds.shell(&format!("cat {file}")), "net.core.somaxconn = 5000");
    assert_eq!(story.apply(&catalog("6000")).await, [format!("change {name}")]);
    vds.shell("sysctl -qw net.core.somaxconn=1000");
    assert_eq!(story.apply(&catalog("6000")).await, [format!("change back {name}")]);
    assert_eq!(vds.shell("sysctl -n net.core.somaxconn"), "6000");
    assert_eq!(story.apply("[]\n").await, [format!("remove {name}")]);
    assert!(!vds.tried(&format!("test -e {file}")).0);
    let odd =
        story.try_to_apply("- sysctl: {key: net.core.nothing, value: \"1\"}\n").await.unwrap();
    assert!(format!("{:?}", odd.carried).contains("net/core/nothing"), "{odd:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_runs_until_there_is_nothing_to_do() {
    let Some(story) = Story::begin() else { return };
    let vds = &story.vds;
    let catalog = "- user: {name: kkt, home: /srv/kkt}\n\
        - command:\n    name: make a mark\n    user: kkt\n    \
        run: [touch, \"/srv/kkt/it's $(id)\"]\n    unless: [test, -e, \"/srv/kkt/it's $(id)\"]\n";
    assert_eq!(story.apply(catalog).await, ["create user kkt", "run command make a mark"]);
    assert_eq!(vds.shell("stat -c %U /srv/kkt/it*"), "kkt");
    vds.shell("rm /srv/kkt/it*");
    assert_eq!(done(&story.plan(catalog).await), ["run command make a mark"]);
    story.apply(catalog).await;

    // What brings nothing about is told, and what fails is told with what it said.
    let vain = "- command: {name: nothing, run: [\"true\"], unless: [\"false\"]}\n";
    let converged = story.try_to_apply(vain).await.unwrap();
    assert_eq!(done(&converged.left), ["run command nothing"]);
    let failing = "- command: {name: fail, run: [ls, /nowhere], unless: [\"false\"]}\n\
                   - file: {path: /etc/after, content: x}\n  needs: [command fail]\n\
                   - file: {path: /etc/beside, content: x}\n";
    let converged = story.try_to_apply(failing).await.unwrap();
    let told = format!("{:?}", converged.carried);
    assert!(told.contains("cannot access '/nowhere'"), "{told}");
    assert!(told.contains("Skipped { because_of: 0 }"), "{told}");
    assert_eq!(vds.shell("ls /etc/beside"), "/etc/beside");
    assert!(!vds.tried("test -e /etc/after").0);
}
