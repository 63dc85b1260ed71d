//! What leaves the catalog leaves the host, and nothing else does.

use super::Story;
use super::done;

fn files(count: usize) -> String {
    let folder = "- directory: {path: /srv/kkt}\n".to_owned();
    let file =
        |number: usize| format!("- file: {{path: /srv/kkt/{number}, content: \"{number}\\n\"}}\n");
    std::iter::once(folder).chain((0..count).map(file)).collect::<Vec<_>>().concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_removals_wait_for_somebody_who_means_them() {
    let Some(story) = Story::begin() else { return };
    story.apply(&files(8)).await;
    let few = files(1);
    let plan = story.plan(&few).await;
    assert_eq!((plan.steps.len(), plan.parked.len()), (0, 7), "{plan:?}");
    let digest = plan.approval().unwrap();
    // Who approved other removals approved none of these.
    let wrong = "00000000000000000000000000000000".parse().unwrap();
    let converged = story.approve(&few, &[wrong]).await.unwrap();
    assert_eq!(converged.plan.parked.len(), 7);
    assert_eq!(story.vds.shell("ls /srv/kkt | wc -l"), "8");
    let converged = story.approve(&few, &[digest]).await.unwrap();
    assert!(converged.went_well(), "{converged:?}");
    assert_eq!(story.vds.shell("ls /srv/kkt"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_say_what_stays() {
    let Some(story) = Story::begin() else { return };
    let vds = &story.vds;
    let asked = "- file: {path: /srv/kept, content: x}\n  onRemove: keep\n\
                 - file: {path: /srv/freed, content: x}\n  onRemove: orphan\n\
                 - file: {path: /srv/edited, content: x}\n\
                 - file: {path: /srv/gone, content: x}\n\
                 - directory: {path: /srv/full}\n";
    story.apply(asked).await;
    vds.shell("echo mine > /srv/edited; rm /srv/gone; echo theirs > /srv/full/file");
    let plan = story.plan("[]\n").await;
    assert_eq!(done(&plan), ["remove directory /srv/full"]);
    let notes: Vec<String> =
        plan.notes.iter().map(|told| format!("{}: {}", told.resource, told.why)).collect();
    assert_eq!(
        notes,
        [
            "file /srv/kept: it stays: its policy is to stay",
            "file /srv/gone: it is gone from the host, and is forgotten",
            "file /srv/freed: it stays, no longer ours: its policy is to go free",
            "file /srv/edited: it stays, no longer ours: somebody changed it, and nothing of theirs is taken off",
        ]
    );
    // A folder with somebody's file in it stays, and is told in every plan.
    let converged = story.try_to_apply("[]\n").await.unwrap();
    assert!(format!("{:?}", converged.carried).contains("not ours"), "{converged:?}");
    assert_eq!(vds.shell("cat /srv/edited /srv/full/file"), "mine\ntheirs");
    vds.shell("rm /srv/full/file");
    assert_eq!(story.apply("[]\n").await, ["remove directory /srv/full"]);
    assert_eq!(vds.shell("ls /srv"), "edited\nfreed\nkept");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inventory_that_cannot_be_believed_stops_its_host() {
    let Some(story) = Story::begin() else { return };
    let asked = "- file: {path: /srv/motd, content: x}\n";
    story.apply(asked).await;
    let vds = &story.vds;
    let refused = async |change: &str| {
        vds.shell("cp /var/lib/tenantry/inventory.json /root/good.json");
        vds.shell(change);
        let error = story.try_to_apply("[]\n").await.expect_err("a refusal").to_string();
        vds.shell("cp /root/good.json /var/lib/tenantry/inventory.json");
        assert_eq!(vds.shell("cat /srv/motd"), "x");
        error
    };
    let file = "/var/lib/tenantry/inventory.json";
    let told = refused(&format!("echo nonsense > {file}")).await;
    assert!(told.contains("cannot be read") && told.contains("move it away"), "{told}");
    let told = refused(&format!("sed -i s/box-1/box-2/ {file}")).await;
    assert!(told.contains("the host `box-2`"), "{told}");
    let told =
        refused(&format!("sed -i 's/\"machineId\": \"[0-9a-f]*/\"machineId\": \"0/' {file}")).await;
    assert!(told.contains("on another machine"), "{told}");
    let told = refused(&format!("sed -i s,/srv/motd,/srv/../etc/shadow, {file}")).await;
    assert!(told.contains("no catalog could ask for"), "{told}");
    let told = refused(&format!("head -c 2000000 /dev/zero > {file}")).await;
    assert!(told.contains("no file of some size"), "{told}");
}
