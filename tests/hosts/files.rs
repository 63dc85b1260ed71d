//! Files and folders.

use tenantry::plan::host::HostChange;
use tenantry::plan::host::show;

use super::Story;
use super::done;
use super::only;

const MOTD: &str = "- directory: {path: /srv/kkt, mode: \"0750\"}\n\
                    - file: {path: /srv/kkt/motd, content: \"hello\\n\", mode: \"0640\"}\n";

#[tokio::test(flavor = "multi_thread")]
async fn files_and_folders_are_made_changed_put_back_and_taken_off() {
    let Some(story) = Story::begin() else { return };
    let vds = &story.vds;
    assert_eq!(story.apply(MOTD).await, ["create directory /srv/kkt", "create file /srv/kkt/motd"]);
    assert_eq!(
        vds.shell("stat -c '%a %U:%G' /srv/kkt /srv/kkt/motd"),
        "750 root:root\n640 root:root"
    );
    assert_eq!(vds.shell("cat /srv/kkt/motd"), "hello");

    // A commit changes it.
    let changed = MOTD.replace("hello", "it's \\\"five\\\" o'clock; $(id) `id`");
    assert_eq!(story.apply(&changed).await, ["change file /srv/kkt/motd"]);
    assert_eq!(vds.shell("cat /srv/kkt/motd"), "it's \"five\" o'clock; $(id) `id`");

    // A person changes it: it is put back, and theirs is put by.
    vds.shell("echo mine > /srv/kkt/motd; chmod 777 /srv/kkt");
    assert_eq!(
        story.apply(&changed).await,
        ["change back directory /srv/kkt", "change back file /srv/kkt/motd"]
    );
    assert_eq!(vds.shell("cat /var/lib/tenantry/trash/*/%srv%kkt%motd"), "mine");
    vds.shell("rm /srv/kkt/motd");
    assert_eq!(story.apply(&changed).await, ["create back file /srv/kkt/motd"]);

    // Nobody asks for it any more.
    assert_eq!(
        story.apply("[]\n").await,
        ["remove file /srv/kkt/motd", "remove directory /srv/kkt"]
    );
    assert!(!vds.tried("test -e /srv/kkt").0);
    assert!(vds.shell("ls /var/lib/tenantry/trash/*").contains("%srv%kkt%motd"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_and_not_ours_is_left_alone_until_a_commit_adopts_it() {
    let Some(story) = Story::begin() else { return };
    story.vds.shell("echo theirs > /etc/motd.kkt");
    let catalog = "- file: {path: /etc/motd.kkt, content: \"ours\\n\"}\n";
    let plan = story.plan(catalog).await;
    assert_eq!(done(&plan), [""; 0]);
    assert!(plan.blocked[0].why.contains("adopt: true"), "{plan:?}");
    assert_eq!(story.vds.shell("cat /etc/motd.kkt"), "theirs");

    let adopted = format!("{catalog}  adopt: true\n");
    assert_eq!(story.apply(&adopted).await, ["change file /etc/motd.kkt"]);
    assert_eq!(story.vds.shell("cat /var/lib/tenantry/trash/*/%etc%motd.kkt"), "theirs");
    // It was there before us, so that it stays when nobody asks for it.
    assert_eq!(story.apply("[]\n").await, [""; 0]);
    assert_eq!(story.vds.shell("cat /etc/motd.kkt"), "ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_shows_lines_and_hides_secrets() {
    let Some(story) = Story::begin() else { return };
    let catalog = |greeting: &str, password: &str| {
        format!(
            "- file: {{path: /etc/greeting, content: \"one\\n{greeting}\\nthree\\n\"}}\n\
             - file: {{path: /etc/kkt.env, content: \"CODE={password}\\n\", sensitive: true, mode: \"0600\"}}\n"
        )
    };
    story.apply(&catalog("two", "hunter2")).await;
    let plan = story.plan(&catalog("zwei", "hunter3")).await;
    insta::assert_snapshot!(show::text(&plan, false), @r"
      ~ change

    box-1
      ~ file /etc/greeting
          ~ text:
                one
              - two
              + zwei
                three
      ~ file /etc/kkt.env
          ~ text: (hidden, changed)

    Plan: 2 to change
    ");
    let told = format!("{plan:?} {}", show::json(&plan));
    assert!(!told.contains("hunter"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_written_is_refused_for_what_it_is() {
    let Some(story) = Story::begin() else { return };
    let failure = |converged: &tenantry::reconcile::hosts::Converged| {
        format!("{:?}", converged.carried.as_ref().unwrap().outcomes[0])
    };
    let nowhere = "- file: {path: /srv/nowhere/motd, content: x}\n";
    let converged = story.try_to_apply(nowhere).await.unwrap();
    assert!(failure(&converged).contains("the folder /srv/nowhere/ is not there"));
    let nobody = "- file: {path: /srv/motd, content: x, owner: nobody-at-all}\n";
    let converged = story.try_to_apply(nobody).await.unwrap();
    assert!(failure(&converged).contains("nobody-at-all"), "{converged:?}");
    // What failed left nothing behind.
    assert_eq!(story.vds.shell("ls -A /srv"), "");
    // A full disk is told for what it is, and nothing of the file is there.
    story.vds.shell("mkdir /srv/small && mount -t tmpfs -o size=8k tmpfs /srv/small");
    let large = format!("- file: {{path: /srv/small/motd, content: {}}}\n", "x".repeat(30_000));
    let converged = story.try_to_apply(&large).await.unwrap();
    assert!(failure(&converged).contains("the disk is full"), "{converged:?}");
    only(&converged.left, HostChange::Create);
}
