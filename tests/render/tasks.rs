//! What is done once: a Job named after its task, that is told everything in its environment.

use serde_json::Value;
use tenantry::model::Resource;
use tenantry::model::resource::Stage;
use tenantry::render::Rendering;

use super::fixture::Files;
use super::fixture::Rendered as _;

fn task(tenant: &str, subscription: &str, action: &str, with: &str) -> String {
    format!(
        "apiVersion: tenantry.dev/v1\nkind: Task\nmetadata:\n  name: now\nspec:\n  tenant: {tenant}\n  \
         subscription: {subscription}\n  action: {action}\n  asked: 2026-11-19T23:30:00Z\n{with}"
    )
}

/// `acme` with a task of its own, and no other.
fn acme(action: &str, with: &str) -> Files {
    Files::example().with("tenants/acme/verify.yaml", task("acme", "school", action, with))
}

fn job(rendering: &Rendering) -> &Resource {
    let mut tasks =
        rendering.rendered.resources.iter().filter(|resource| resource.stage == Stage::Task);
    let job = tasks.next().expect("there is a task");
    assert!(tasks.next().is_none(), "there is one task");
    job
}

fn environment(job: &Value, name: &str) -> Value {
    let variables = job["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap();
    variables.iter().find(|variable| variable["name"] == name).unwrap()["value"].clone()
}

#[test]
fn a_backup_is_a_job_named_after_its_task_and_says_what_it_leaves() {
    for (action, begins) in [("backup", ""), ("finalBackup", "final-")] {
        let rendering = acme(action, "").render("acme");
        let job = job(&rendering);
        let once = job.task.as_ref().unwrap();
        assert_eq!(job.id.to_string(), "Job/kiteclass-acme/task-now");
        assert_eq!(once.task.as_str(), "now");
        assert_eq!(once.begins_before, "2026-11-20T01:30:00Z".parse().unwrap());
        let stem = format!("{begins}2026-11-19T2330Z-now");
        assert_eq!(once.result.as_deref(), Some(&*format!("{stem}.dump")));
        assert_eq!(environment(&job.body, "BACKUP"), stem);
        assert!(job.body["metadata"]["annotations"].is_null(), "it is for rendering alone");
    }
}

#[test]
fn what_a_template_says_later_makes_no_other_job_of_it() {
    let changed = acme("backup", "").edit(
        "packages/kiteclass/standard.yaml",
        "postgres:15-alpine",
        "postgres:17-alpine",
    );
    let (before, after) = (acme("backup", "").render("acme"), changed.render("acme"));
    assert_eq!(job(&before).id, job(&after).id);
    assert_ne!(job(&before).digest, job(&after).digest);
}

#[test]
fn a_restore_is_told_the_name_as_a_value_and_tried_once() {
    let with = "  with: { backup: 2026-11-18T0200Z.dump }\n";
    let rendering = acme("restore", with).render("acme");
    let named = &job(&rendering).body;
    assert_eq!(environment(named, "BACKUP"), "2026-11-18T0200Z.dump");
    assert_eq!(named["spec"]["backoffLimit"], 0);
    assert_eq!(named["spec"]["template"]["spec"]["restartPolicy"], "Never");
    let newest = acme("restore", "").render("acme");
    assert_eq!(environment(&job(&newest).body, "BACKUP"), "");
}

#[test]
fn verifying_runs_every_check_of_the_package_one_after_the_other() {
    let rendering = acme("verify", "").render("acme");
    let pod = &job(&rendering).body["spec"]["template"]["spec"];
    let names = |field: &str| -> Vec<String> {
        let containers = pod[field].as_array().unwrap();
        containers.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        (names("initContainers"), names("containers")),
        (vec!["verify".into()], vec!["smoke".into()])
    );
}

/// A last backup is taken of what was suspended long ago.
#[test]
fn what_is_suspended_can_still_be_backed_up() {
    let held = |files: Files| {
        let hold = "  subdomain: acme\n  holds: [{ reason: overdue }]\n";
        files.edit("tenants/acme/school.yaml", "  subdomain: acme\n", hold)
    };
    let rendering = held(acme("finalBackup", "")).render("acme");
    assert_eq!(rendering.one("Database").body["login"], true);
    assert!(job(&rendering).body["spec"]["parallelism"].is_null());
    assert_eq!(rendering.next_change, Some("2026-11-20T07:30:00Z".parse().unwrap()));
    let over = held(acme("finalBackup", "")).read().render("acme", "2026-11-20T07:30:00Z").unwrap();
    assert_eq!(over.one("Database").body["login"], false, "when it is over, nobody logs in");
}

#[test]
fn the_backups_outlive_whatever_the_package_says_of_other_data() {
    let gone = Files::example().render("toko-batik");
    let claim = gone.named("PersistentVolumeClaim", "automation-backup");
    assert_eq!(claim.on_delete, tenantry::model::resource::OnDelete::Keep);
    // What was encrypted is worth nothing without its key.
    let secret = gone.named("Secret", "automation-credentials");
    assert_eq!(secret.on_delete, tenantry::model::resource::OnDelete::Keep);
    let data = gone.named("PersistentVolumeClaim", "automation-n8n-data");
    assert_eq!(data.on_delete, tenantry::model::resource::OnDelete::Delete);
}

#[test]
fn the_volumes_of_a_pod_that_is_rented_are_saved_by_their_names() {
    let rendering = Files::example()
        .with("tenants/toko-batik/now.yaml", task("toko-batik", "automation", "backup", ""))
        .render("toko-batik");
    let job = job(&rendering);
    let mounts = &job.body["spec"]["template"]["spec"]["containers"][0]["volumeMounts"];
    let paths: Vec<&str> =
        mounts.as_array().unwrap().iter().map(|one| one["mountPath"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/backup", "/scripts", "/data/n8n/data"]);
    assert_eq!(job.task.as_ref().unwrap().result.as_deref(), Some("2026-11-19T2330Z-now.tar.gz"));
    assert_eq!(environment(&job.body, "RUNS"), "true");
}
