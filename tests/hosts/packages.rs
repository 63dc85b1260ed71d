//! Packages of Debian, from a real mirror.

use super::Story;
use super::done;

#[tokio::test(flavor = "multi_thread")]
async fn a_package_is_installed_put_back_and_taken_off() {
    let Some(story) = Story::begin() else { return };
    let vds = &story.vds;
    let catalog = "- package: {name: tree}\n  onRemove: remove\n";
    assert_eq!(story.apply(catalog).await, ["create package tree"]);
    vds.shell("tree --version");
    vds.shell("apt-get -qy remove tree");
    assert_eq!(story.apply(catalog).await, ["create back package tree"]);

    // A power cut left it half done.
    vds.shell("dpkg --remove --force-all tree; dpkg --unpack /var/cache/apt/archives/tree_*.deb");
    assert_eq!(story.apply(catalog).await, ["change back package tree"]);
    assert_eq!(story.apply("[]\n").await, ["remove package tree"]);
    assert!(!vds.tried("command -v tree").0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_that_cannot_be_had_is_told_for_what_it_is() {
    let Some(story) = Story::begin() else { return };
    let converged = story.try_to_apply("- package: {name: no-such-thing}\n").await.unwrap();
    let told = format!("{:?}", converged.carried);
    assert!(told.contains("no source of apt has this package"), "{told}");
    let version = "- package: {name: tree, version: 0.0.1}\n";
    let told = format!("{:?}", story.try_to_apply(version).await.unwrap().carried);
    assert!(told.contains("no source of apt has this version"), "{told}");
    // No mirror answers.
    let vds = &story.vds;
    vds.shell("echo 'Acquire::http::Proxy \"http://127.0.0.1:9\";' > /etc/apt/apt.conf.d/99broken");
    let told =
        format!("{:?}", story.try_to_apply("- package: {name: tree}\n").await.unwrap().carried);
    assert!(told.contains("apt reaches no mirror"), "{told}");
    // What was there before us is adopted, and nothing is done about it.
    let plan = story.plan("- package: {name: curl}\n").await;
    assert_eq!(done(&plan), [""; 0]);
    let told: Vec<String> =
        plan.notes.iter().map(|told| format!("{}: {}", told.resource, told.why)).collect();
    let adopted = "package curl: it is as asked for already, and is adopted".to_owned();
    assert!(told.contains(&adopted), "{told:?}");
}
