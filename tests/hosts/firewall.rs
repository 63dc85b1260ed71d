//! The firewall, and that no rule locks us out for long.

use std::time::Duration;

use super::Story;
use super::done;

fn catalog(rules: &str) -> String {
    format!("- package: {{name: nftables}}\n- firewall: {{allow: [{rules}]}}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_made_changed_put_back_and_taken_off() {
    let Some(story) = Story::begin() else { return };
    let vds = &story.vds;
    let rules = || vds.shell("nft list table inet tenantry");
    let first = catalog("{port: 22}");
    assert_eq!(story.apply(&first).await, ["create package nftables", "create firewall input"]);
    assert!(rules().contains("tcp dport 22 accept"));
    // It was confirmed: nothing is left that would undo it.
    assert!(!vds.tried("systemctl cat tenantry-undo.timer").0);
    assert!(!vds.tried("test -e /var/lib/tenantry/undo").0);

    let second = catalog("{port: 22}, {port: 443, from: [192.0.2.0/24, \"2001:db8::/32\"]}");
    assert_eq!(story.apply(&second).await, ["change firewall input"]);
    assert!(rules().contains("ip saddr 192.0.2.0/24 tcp dport 443 accept"), "{}", rules());
    vds.shell("nft delete table inet tenantry");
    assert_eq!(story.apply(&second).await, ["change back firewall input"]);
    assert!(rules().contains("443"));
    vds.does("kill");
    vds.does("start");
    assert!(rules().contains("443"), "it is there after a reboot");
    assert_eq!(story.apply("- package: {name: nftables}\n").await, ["remove firewall input"]);
    assert!(!vds.tried("nft list table inet tenantry").0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_locks_us_out_is_undone_by_the_host_itself() {
    let Some(story) = Story::begin() else { return };
    let vds = &story.vds;
    story.apply(&catalog("{port: 22}")).await;
    let cutting = catalog("{port: 80}");
    let begun = std::time::Instant::now();
    let converged = story.try_to_apply(&cutting).await.expect("we are let in again");
    assert!(begun.elapsed() > Duration::from_mins(1), "it was cut off: {:?}", begun.elapsed());
    assert!(!converged.went_well());
    assert!(vds.shell("nft list table inet tenantry").contains("tcp dport 22 accept"));
    assert_eq!(vds.shell("wc -l < /var/lib/tenantry/undo/undone"), "1");
    // Whoever confirms may have died: it is tried once more, and then waits for a commit.
    assert_eq!(done(&story.plan(&cutting).await), ["change back firewall input"]);
    vds.shell("cat /var/lib/tenantry/undo/undone >> /var/lib/tenantry/undo/undone.again; cat /var/lib/tenantry/undo/undone.again >> /var/lib/tenantry/undo/undone");
    let plan = story.plan(&cutting).await;
    assert_eq!(done(&plan), [""; 0]);
    assert!(plan.blocked[0].why.contains("undid these rules by itself"), "{plan:?}");
    story.apply(&catalog("{port: 22}, {port: 80}")).await;
    assert!(vds.shell("nft list table inet tenantry").contains("tcp dport 80 accept"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_outlives_a_reboot() {
    let Some(story) = Story::begin() else { return };
    let vds = &story.vds;
    vds.shell("apt-get -qy update && apt-get -qy install --no-install-recommends nftables");
    let cutting = catalog("{port: 80}");
    // Whoever asked for it dies before anybody confirms, and the host loses its power.
    let _ = tokio::time::timeout(Duration::from_secs(4), story.try_to_apply(&cutting)).await;
    vds.does("kill");
    // It comes up with the rules that cut us off; nobody gets in until it has undone them.
    vds.does("start");
    assert!(!vds.tried("nft list table inet tenantry").0, "there were no rules before");
    assert_eq!(vds.shell("wc -l < /var/lib/tenantry/undo/undone"), "1");
}
