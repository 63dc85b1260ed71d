//! Who is believed, who lets us in, and what each refusal says.

use std::time::Duration;

use tenantry::apply::host::Access;
use tenantry::apply::host::HostError;
use tenantry::apply::host::ssh;
use tenantry::model::Document;
use tenantry::model::Host;
use tenantry::reconcile::hosts;

use super::Story;

impl Story {
    /// Why nobody gets in with such a document.
    async fn refusal(&self, change: impl FnOnce(&mut Document<Host>)) -> HostError {
        let mut document = Document::clone(&self.document());
        change(&mut document);
        let access = Access::of(&document, &self.vds.key).unwrap();
        let look = hosts::look(access, &self.asked("[]\n")).await;
        look.expect_err("a refusal")
    }
}

const OTHER: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtk0LOlateGOF9Z6QNlbLobkXbumZZ+A9ZV3CCKdxl8";

#[tokio::test(flavor = "multi_thread")]
async fn a_host_key_that_is_not_pinned_stops_the_host_and_is_told_with_its_fingerprint() {
    let Some(story) = Story::begin() else { return };
    let vds = &story.vds;
    let error = story.refusal(|document| document.spec.host_keys = vec![OTHER.into()]).await;
    let HostError::UnknownKey { fingerprint, line, algorithm, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(algorithm, "ssh-ed25519");
    assert!(vds.shell("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").contains(fingerprint));
    assert_eq!(*line, vds.pin.trim());

    // Another key of another algorithm is no way around the pin.
    vds.shell("ssh-keygen -qt ecdsa -N '' -f /etc/ssh/ssh_host_ecdsa_key && rm /etc/ssh/ssh_host_ed25519_key* && systemctl restart ssh");
    let error = story.refusal(|_| {}).await;
    let HostError::UnknownKey { algorithm, line, .. } = error else { panic!("{error}") };
    assert_eq!(algorithm, "ecdsa-sha2-nistp256");

    // While a key is replaced, several are pinned.
    let mut document = Document::clone(&story.document());
    document.spec.host_keys.push(line);
    let access = Access::of(&document, &vds.key).unwrap();
    hosts::look(access, &story.asked("[]\n")).await.expect("one of the pinned keys is shown");
    let scanned = ssh::scan(&vds.address, vds.port).await.unwrap();
    assert_eq!(scanned.len(), 1);
    assert!(scanned[0].0.starts_with("ecdsa-sha2-nistp256 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_let_in_is_told_why() {
    let Some(story) = Story::begin() else { return };
    let vds = &story.vds;
    let error = story.refusal(|document| document.spec.user = "stranger".into()).await;
    assert!(matches!(&error, HostError::Denied { user, .. } if user == "stranger"), "{error}");
    vds.shell("useradd -m deploy && mkdir ~deploy/.ssh && cp ~/.ssh/authorized_keys ~deploy/.ssh/ && chown -R deploy: ~deploy/.ssh");
    let error = story.refusal(|document| document.spec.user = "deploy".into()).await;
    assert!(matches!(&error, HostError::NoSudo { .. }), "{error}");
    assert!(error.to_string().contains("NOPASSWD"), "{error}");
    let error = story.refusal(|document| document.spec.port = 9).await;
    assert!(matches!(&error, HostError::Unreachable { .. }), "{error}");
    vds.shell("sed -i s/^ID=.*/ID=fedora/ /etc/os-release");
    let error = story.refusal(|_| {}).await;
    assert!(matches!(&error, HostError::Unsupported { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_than_root_does_the_same_with_sudo() {
    let Some(mut story) = Story::begin() else { return };
    story.vds.shell("useradd -m deploy && mkdir ~deploy/.ssh && cp ~/.ssh/authorized_keys ~deploy/.ssh/ && chown -R deploy: ~deploy/.ssh && echo 'deploy ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/deploy");
    story.user = "deploy";
    story.apply("- file: {path: /srv/motd, content: x}\n").await;
    assert_eq!(story.vds.shell("stat -c %U /srv/motd"), "root");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_hangs_is_left_alone_after_its_time_and_keeps_no_other_waiting() {
    let (Some(slow), Some(quick)) = (Story::begin(), Story::begin()) else { return };
    slow.vds.does("freeze");
    let catalog = "- file: {path: /srv/motd, content: x}\n";
    let begun = std::time::Instant::now();
    let waiting = tokio::time::timeout(Duration::from_mins(1), slow.try_to_apply(catalog));
    let (late, ()) = tokio::join!(waiting, async {
        quick.apply(catalog).await;
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    });
    let error = late.expect("it gives up in time").expect_err("it hangs");
    assert!(matches!(&error, HostError::Unreachable { .. }), "{error}");
}
