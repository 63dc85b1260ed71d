//! Users, groups, and the keys that let people in.

use super::Story;
use super::done;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtk0LOlateGOF9Z6QNlbLobkXbumZZ+A9ZV3CCKdxl8 admin";

#[tokio::test(flavor = "multi_thread")]
async fn users_groups_and_keys_are_made_changed_put_back_and_taken_off() {
    let Some(story) = Story::begin() else { return };
    let vds = &story.vds;
    let catalog = |groups: &str, shell: &str| {
        format!(
            "- group: {{name: kkt-admins}}\n- group: {{name: kkt-readers}}\n\
             - user: {{name: kkt, home: /srv/kkt, shell: {shell}, groups: [{groups}]}}\n  onRemove: remove\n\
             - authorized_key: {{user: kkt, key: \"{KEY}\"}}\n"
        )
    };
    let first = catalog("kkt-admins", "/usr/sbin/nologin");
    let key = "authorized_key kkt ..A9ZV3CCKdxl8";
    assert_eq!(
        story.apply(&first).await,
        [
            "create group kkt-admins",
            "create group kkt-readers",
            "create user kkt",
            &format!("create {key}")
        ]
    );
    assert_eq!(vds.shell("id -Gn kkt"), "kkt kkt-admins");
    assert_eq!(vds.shell("cat /srv/kkt/.ssh/authorized_keys"), KEY);
    assert_eq!(vds.shell("stat -c %a:%U /srv/kkt/.ssh/authorized_keys"), "600:kkt");

    let changed = catalog("kkt-admins, kkt-readers", "/bin/sh");
    assert_eq!(story.apply(&changed).await, ["change user kkt"]);
    assert_eq!(vds.shell("getent passwd kkt | cut -d: -f6,7"), "/srv/kkt:/bin/sh");

    // Somebody else's key beside ours stays; ours is put back.
    vds.shell("echo 'ssh-ed25519 AAAAother them' > /srv/kkt/.ssh/authorized_keys");
    vds.shell("usermod -s /bin/bash kkt");
    assert_eq!(
        story.apply(&changed).await,
        ["change back user kkt", &format!("create back {key}")]
    );
    assert!(
        vds.shell("cat /srv/kkt/.ssh/authorized_keys").starts_with("ssh-ed25519 AAAAother them\n")
    );

    // Groups go free by their policy; the user goes by its own, and leaves its home.
    let gone = story.apply("[]\n").await;
    assert_eq!(gone, [format!("remove {key}"), "remove user kkt".to_owned()]);
    assert!(!vds.tried("id kkt").0);
    assert_eq!(vds.shell("cat /srv/kkt/.ssh/authorized_keys"), "ssh-ed25519 AAAAother them");
    vds.shell("getent group kkt-admins");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_there_and_not_ours_is_left_alone() {
    let Some(story) = Story::begin() else { return };
    let plan = story.plan("- user: {name: games, shell: /bin/sh}\n").await;
    assert_eq!(done(&plan), [""; 0]);
    assert!(plan.blocked[0].why.contains("is not ours"), "{plan:?}");
    // A home that is a link leads nobody's key elsewhere: it is written as the user.
    let vds = &story.vds;
    vds.shell("useradd -m eve && rm -rf /home/eve/.ssh && ln -s /root/.ssh /home/eve/.ssh");
    let before = vds.shell("sha256sum /root/.ssh/authorized_keys");
    let catalog = format!("- authorized_key: {{user: eve, key: \"{KEY}\"}}\n");
    let converged = story.try_to_apply(&catalog).await.unwrap();
    assert!(!converged.went_well());
    assert_eq!(vds.shell("sha256sum /root/.ssh/authorized_keys"), before);
}
