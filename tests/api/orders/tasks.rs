//! Things to do once: backups, restores, and the last backup without which nothing is removed.

use jiff::SignedDuration;
use jiff::civil::date;
use serde_json::Value;
use tenantry::accounts::Role;
use tenantry::history::Record;
use tenantry::history::record::TaskOutcome;
use tenantry::history::record::TaskState;
use tenantry::history::record::UnitState;
use tenantry::jobs::of_a_business;
use tenantry::operations::commit;

use super::Shop;
use crate::edits::git;

const ANY: [(&str, &str); 1] = [("if-match", "*")];

impl Shop {
    /// What the daemon says of every task that a tenant has now, as though all ended like this.
    pub(super) async fn end_tasks(&self, tenant: &str, state: TaskState, message: &str) -> usize {
        let taken = self.take().await;
        let ours = taken.configuration.tasks.values();
        let ours = ours.filter(|task| task.spec.tenant.as_str() == tenant);
        let records: Vec<Record> = ours
            .map(|task| {
                Record::Task(TaskOutcome {
                    unit: tenant.parse().unwrap(),
                    task: task.name.clone(),
                    state,
                    message: Some(message.to_owned()),
                    at: self.now(),
                })
            })
            .collect();
        self.follower.history.write(&records).await.unwrap();
        self.follow().await;
        records.len()
    }

    fn has(&self, path: &str) -> bool {
        git(&self.repository.git_folder(), &["show", &format!("main:{path}")]).is_ok()
    }

    fn removals(&self) -> usize {
        let log = git(&self.repository.git_folder(), &["log", "--format=%s", "main"]).unwrap();
        log.lines().filter(|line| line.contains(": remove ")).count()
    }

    async fn mailed_values(&self, template: &str) -> Vec<Value> {
        let rows: Vec<(sqlx::types::Json<Value>,)> = sqlx::query_as(
            "select payload -> 'values' from outbox where payload ->> 'template' = $1 order by id",
        )
        .bind(template)
        .fetch_all(&self.portal.pool)
        .await
        .unwrap();
        rows.into_iter().map(|(values,)| values.0).collect()
    }

    async fn run_job(&self, name: &'static str) {
        let job = of_a_business().into_iter().find(|job| job.name == name).unwrap();
        self.runner(job).await.by_hand(name).await.unwrap();
    }
}

#[tokio::test]
async fn who_cancels_now_is_removed_after_the_last_backup_and_told_where_it_is() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.with_a_school("gone@example.com").await;
    let document = format!("tenants/{tenant}/kiteclass.yaml");
    let path = format!("/subscriptions/{tenant}.kiteclass?when=now");
    let gone = shop.send("DELETE", &path, &token, Value::Null, &ANY).await;
    assert_eq!((gone.status, &gone.json["kind"]), (202, &"task".into()), "{}", gone.text);
    shop.carry_out(&tenant).await;
    let waiting = shop.operation(&gone.json["id"], &token).await;
    assert_eq!(waiting["message"], "it waits to be carried out");
    assert!(shop.has(&document), "nothing goes before it");

    let backup = "final-2026-11-24T0000Z-final-1.dump";
    assert_eq!(shop.end_tasks(&tenant, TaskState::Done, backup).await, 1);
    let done = shop.operation(&gone.json["id"], &token).await;
    assert_eq!((&done["status"], &done["message"]), (&"succeeded".into(), &backup.into()));
    assert!(shop.has(&document), "the removal is a commit of its own");
    shop.carry_out(&tenant).await;
    assert!(!shop.has(&document));
    assert_eq!(shop.removals(), 1);
    for _ in 0..2 {
        shop.run_job("lifecycle").await;
    }
    let ended = shop.mailed_values("ended").await;
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert_eq!(ended[0]["backup"], backup);
    assert!(ended[0]["retainedUntil"].is_string(), "{ended:?}");

    let git_folder = shop.repository.git_folder();
    let before = git(&git_folder, &["rev-parse", "main~1"]).unwrap();
    let text = git(&git_folder, &["show", &format!("{}:{document}", before.trim())]).unwrap();
    shop.repository.write(&document, text).commit("bring it back");
    let taken = shop.take().await;
    assert!(taken.configuration.subscriptions.contains_key(tenant.as_str()));
    assert_eq!(shop.follow().await, 0, "nobody removes it again");
    shop.books_balance().await;
}

#[tokio::test]
async fn where_the_last_backup_fails_nothing_is_removed_and_somebody_is_told() {
    let Some(shop) = Shop::open().await else { return };
    let (_, tenant) = shop.with_a_school("stays@example.com").await;
    let staff = shop.portal.staff(Role::Operator).await.access;
    let path = format!("/admin/instances/{tenant}.kiteclass");
    let asked = shop.send("DELETE", &path, &staff, Value::Null, &ANY).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    shop.carry_out(&tenant).await;
    shop.end_tasks(&tenant, TaskState::Failed, "the disk is full").await;
    let failed = shop.operation(&asked.json["id"], &staff).await;
    assert_eq!(
        (&failed["status"], &failed["message"]),
        (&"failed".into(), &"the disk is full".into())
    );
    shop.carry_out(&tenant).await;
    assert!(shop.has(&format!("tenants/{tenant}/kiteclass.yaml")));
    assert_eq!(shop.removals(), 0);
    shop.run_job("alerts").await;
    let alerts = shop.mailed_values("alert").await;
    let what = alerts[0]["lines"][0].as_str().unwrap();
    assert_eq!((alerts.len(), &alerts[0]["kind"]), (1, &"backup-failed".into()));
    assert!(what.contains("so it is not removed: the disk is full"), "{what}");
}

#[tokio::test]
async fn whoever_dies_between_the_two_commits_leaves_one_removal() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.with_a_school("killed@example.com").await;
    let path = format!("/subscriptions/{tenant}.kiteclass?when=now");
    let gone = shop.send("DELETE", &path, &token, Value::Null, &ANY).await;
    shop.carry_out(&tenant).await;
    let taken = shop.take().await;
    let task = taken.configuration.tasks.values().find(|task| task.spec.tenant.as_str() == tenant);
    let done = Record::Task(TaskOutcome {
        unit: tenant.parse().unwrap(),
        task: task.unwrap().name.clone(),
        state: TaskState::Done,
        message: Some("final.dump".into()),
        at: shop.now(),
    });
    shop.follower.history.write(&[done]).await.unwrap();
    for microseconds in (0..40).map(|step| 1 << (step / 2)) {
        let time = std::time::Duration::from_micros(microseconds);
        let taken = shop.take().await;
        let following = shop.follower.work(&shop.portal.pool, &taken, shop.now());
        drop(tokio::time::timeout(time, following).await);
        let working = commit::work(&shop.portal.pool, &shop.editor, shop.now());
        drop(tokio::time::timeout(time, working).await);
        shop.portal.wait(SignedDuration::from_mins(2));
    }
    for _ in 0..2 {
        shop.carry_out(&tenant).await;
    }
    let staff = shop.portal.staff(Role::Operator).await.access;
    assert_eq!(shop.operation(&gone.json["id"], &staff).await["status"], "succeeded");
    assert_eq!(shop.removals(), 1);
    let many = "select count(*) from operation where kind = 'remove'";
    assert_eq!(shop.count(many).await, 1);
    let ended = "select count(*) from operation where kind = 'remove' and state = 'succeeded'";
    assert_eq!(shop.count(ended).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_grace_it_is_backed_up_for_the_last_time_and_then_removed() {
    let Some(shop) = Shop::open().await else { return };
    let (_, tenant) = shop.with_a_month().await;
    for day in [date(2026, 12, 17), date(2026, 12, 24)] {
        shop.noon(day);
        shop.live(&tenant).await;
        shop.send_mails().await;
    }
    shop.live(&tenant).await;
    shop.noon(date(2027, 1, 24));
    shop.portal.staff(Role::Operator).await;
    shop.live(&tenant).await;
    let document = format!("tenants/{tenant}/kiteclass.yaml");
    assert!(shop.has(&document), "it waits for its backup");
    assert_eq!(shop.end_tasks(&tenant, TaskState::Failed, "the disk is full").await, 1);
    for _ in 0..3 {
        let report = shop.live(&tenant).await;
        let said = |finding: &String| finding.contains("the disk is full");
        assert!(report.findings.iter().any(said), "{report:?}");
    }
    assert_eq!((shop.has(&document), shop.removals()), (true, 0));
    let told = |alerts: &[Value]| {
        let last = |alert: &&Value| alert["lines"].to_string().contains("the last backup of");
        alerts.iter().filter(last).count()
    };
    shop.run_job("alerts").await;
    assert_eq!(told(&shop.mailed_values("alert").await), 1);

    // An hour later it is tried again, by a task of its own.
    shop.portal.wait(SignedDuration::from_mins(61));
    shop.live(&tenant).await;
    assert_eq!(shop.end_tasks(&tenant, TaskState::Failed, "the disk is full").await, 2);
    shop.run_job("alerts").await;
    assert_eq!(told(&shop.mailed_values("alert").await), 1, "the alert stands still");
    shop.portal.wait(SignedDuration::from_mins(61));
    shop.live(&tenant).await;
    assert_eq!(shop.end_tasks(&tenant, TaskState::Done, "final-3.dump").await, 3);
    for _ in 0..3 {
        shop.live(&tenant).await;
    }
    assert_eq!((shop.has(&document), shop.removals()), (false, 1));
    let ended = shop.mailed_values("ended").await;
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0]["backup"], "final-3.dump");
    shop.books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_for_while_its_last_backup_was_taken_stays() {
    let Some(shop) = Shop::open().await else { return };
    let (_, tenant) = shop.with_a_month().await;
    for day in [date(2026, 12, 17), date(2026, 12, 24)] {
        shop.noon(day);
        shop.live(&tenant).await;
        shop.send_mails().await;
    }
    shop.live(&tenant).await;
    shop.noon(date(2027, 1, 24));
    shop.live(&tenant).await;
    shop.top_up(&tenant, "500.00 USD").await;
    shop.end_tasks(&tenant, TaskState::Done, "final-1.dump").await;
    for _ in 0..3 {
        shop.live(&tenant).await;
    }
    assert_eq!((shop.has(&format!("tenants/{tenant}/kiteclass.yaml")), shop.removals()), (true, 0));
}

#[tokio::test]
async fn a_backup_names_its_file_and_is_told_once_however_it_went() {
    let Some(shop) = Shop::open().await else { return };
    let email = "saved@example.com";
    let (_, tenant) = shop.with_a_school(email).await;
    let staff = shop.portal.staff(Role::Operator).await.access;
    let path = format!("/admin/instances/{tenant}.kiteclass");
    let ask = async || {
        let asked = shop.portal.post(&format!("{path}/backup"), &staff, Value::Null).await;
        assert_eq!(asked.status, 202, "{}", asked.text);
        shop.carry_out(&tenant).await;
        asked.json["id"].clone()
    };
    let first = ask().await;
    shop.say(&tenant, UnitState::Degraded, Some("a pod crashes")).await;
    shop.follow().await;
    let waiting = shop.operation(&first, &staff).await;
    assert_eq!(waiting["message"], "a pod crashes", "it may be why it has not begun");
    shop.end_tasks(&tenant, TaskState::Running, "").await;
    assert_eq!(shop.operation(&first, &staff).await["status"], "applying");
    shop.end_tasks(&tenant, TaskState::Done, "2026-11-24T0000Z-backup.dump").await;
    let done = shop.operation(&first, &staff).await;
    assert_eq!(done["message"], "2026-11-24T0000Z-backup.dump", "{done}");
    let second = ask().await;
    shop.end_tasks(&tenant, TaskState::Failed, "the disk is full").await;
    shop.follow().await;
    assert_eq!(shop.operation(&second, &staff).await["status"], "failed");
    for (template, count) in [("backup-done", 1), ("backup-failed", 1), ("failed", 0)] {
        assert_eq!(shop.portal.mails(template, email).await, count, "{template}");
    }
}

#[tokio::test]
async fn what_does_not_begin_in_two_hours_fails_and_what_runs_is_waited_for() {
    let Some(shop) = Shop::open().await else { return };
    let (_, tenant) = shop.with_a_school("late@example.com").await;
    let staff = shop.portal.staff(Role::Operator).await.access;
    let path = format!("/admin/instances/{tenant}.kiteclass");
    let ask = async |staff: &str, what: &str| {
        let body = if what == "restore" { serde_json::json!({}) } else { Value::Null };
        let asked = shop.portal.post(&format!("{path}/{what}"), staff, body).await;
        assert_eq!(asked.status, 202, "{}", asked.text);
        shop.carry_out(&tenant).await;
        asked.json["id"].clone()
    };
    let never = ask(&staff, "restore").await;
    shop.portal.wait(SignedDuration::from_mins(126));
    shop.follow().await;
    let staff = shop.portal.log_in("operator@operator.example").await.access;
    let failed = shop.operation(&never, &staff).await;
    assert_eq!(failed["status"], "failed");
    let why = failed["message"].as_str().unwrap();
    assert!(why.contains("could not begin within two hours"), "{why}");

    let long = ask(&staff, "verify").await;
    shop.end_tasks(&tenant, TaskState::Running, "").await;
    shop.portal.wait(SignedDuration::from_hours(5));
    shop.follow().await;
    let staff = shop.portal.log_in("operator@operator.example").await.access;
    assert_eq!(shop.operation(&long, &staff).await["status"], "applying");
    shop.portal.wait(SignedDuration::from_hours(4));
    shop.follow().await;
    let staff = shop.portal.log_in("operator@operator.example").await.access;
    let unknown = shop.operation(&long, &staff).await;
    assert_eq!(unknown["message"], "it has begun, and nobody saw how it ended");
}

#[tokio::test]
async fn a_restore_names_a_file_and_nothing_that_a_shell_would_take() {
    let Some(shop) = Shop::open().await else { return };
    let (_, tenant) = shop.with_a_school("shell@example.com").await;
    let staff = shop.portal.staff(Role::Operator).await.access;
    let path = format!("/admin/instances/{tenant}.kiteclass/restore");
    for backup in ["../x", "a;b", "$(reboot)", "-rf", "", "a b", "a\nb"] {
        let body = serde_json::json!({ "backup": backup });
        let refused = shop.portal.post(&path, &staff, body).await;
        assert_eq!(refused.status, 422, "{backup:?}: {}", refused.text);
    }
    let body = serde_json::json!({ "backup": "2026-11-24T0200Z.dump" });
    let taken = shop.portal.post(&path, &staff, body).await;
    assert_eq!(taken.status, 202, "{}", taken.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_were_over_long_ago_go_from_the_repository_in_one_commit() {
    let Some(shop) = Shop::open().await else { return };
    let (_, tenant) = shop.with_a_school("tidy@example.com").await;
    let staff = shop.portal.staff(Role::Operator).await.access;
    for _ in 0..2 {
        let path = format!("/admin/instances/{tenant}.kiteclass/backup");
        assert_eq!(shop.portal.post(&path, &staff, Value::Null).await.status, 202);
    }
    shop.carry_out(&tenant).await;
    let tasks = async || {
        let taken = shop.take().await;
        let ours = taken.configuration.tasks.values();
        ours.filter(|task| task.spec.tenant.as_str() == tenant).count()
    };
    shop.end_tasks(&tenant, TaskState::Done, "a.dump").await;
    shop.run_job("clear-tasks").await;
    shop.carry_out(&tenant).await;
    assert_eq!(tasks().await, 2, "they are still to be seen");
    shop.portal.wait(SignedDuration::from_hours(7 * 24 + 1));
    for _ in 0..2 {
        shop.run_job("clear-tasks").await;
    }
    shop.carry_out(&tenant).await;
    assert_eq!(tasks().await, 0);
    let log = git(&shop.repository.git_folder(), &["log", "--format=%s", "main"]).unwrap();
    let of_us = format!("{tenant}: tasks that are over");
    assert_eq!(log.lines().filter(|line| *line == of_us).count(), 1, "{log}");
    assert!(shop.has(&format!("tenants/{tenant}/kiteclass.yaml")));
}
