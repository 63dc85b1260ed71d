//! Whether an object does what it is for, in the sense of kstatus, told from the object alone.

use serde_json::Value;

use crate::plan::Health;

use super::kinds::Kind;
use super::observe::Seen;

/// Judges an object.
pub(super) fn health(kind: &Kind, seen: &Seen) -> Health {
    if seen.metadata.deletion_timestamp.is_some() {
        return Health::Progressing("it is being deleted".into());
    }
    match (&*kind.group, &*kind.kind) {
        ("", "Namespace") => namespace(seen),
        ("", "PersistentVolumeClaim") => claim(seen),
        ("", "Service") => service(seen),
        ("", "Pod") => pod(seen),
        ("apps", "Deployment") => deployment(seen),
        ("apps", "StatefulSet") => stateful_set(seen),
        ("apps", "DaemonSet") => daemon_set(seen),
        ("batch", "Job") => job(seen),
        (
            ""
            | "batch"
            | "policy"
            | "networking.k8s.io"
            | "rbac.authorization.k8s.io"
            | "autoscaling",
            _,
        ) => Health::Ready,
        _ => custom(seen),
    }
}

fn waits(reason: impl Into<String>) -> Health {
    Health::Progressing(reason.into())
}

/// Whether the status speaks of the specification as it is now.
fn is_outdated(seen: &Seen) -> bool {
    let observed = seen.status["observedGeneration"].as_i64();
    observed.unwrap_or(0) < seen.metadata.generation
}

const OUTDATED: &str = "its controller has not looked at the change yet";

fn number(value: &Value, field: &str) -> i64 {
    value[field].as_i64().unwrap_or(0)
}

fn condition<'a>(seen: &'a Seen, name: &str) -> Option<&'a Value> {
    seen.status["conditions"].as_array()?.iter().find(|condition| condition["type"] == name)
}

fn is_true(condition: Option<&Value>) -> bool {
    condition.is_some_and(|condition| condition["status"] == "True")
}

/// What a condition says, in words for a person.
fn sentence(condition: &Value) -> String {
    let text = |field: &str| condition[field].as_str().filter(|text| !text.is_empty());
    match (text("message"), text("reason")) {
        (Some(message), _) => message.trim_end_matches('.').to_owned(),
        (None, Some(reason)) => reason.to_owned(),
        (None, None) => "no reason is given".into(),
    }
}

fn namespace(seen: &Seen) -> Health {
    match seen.status["phase"].as_str() {
        Some("Terminating") => waits("it is being deleted"),
        _ => Health::Ready,
    }
}

/// A claim that nothing has begun to provide for waits for the first pod that uses it
/// (`WaitForFirstConsumer`), and that pod comes at a later stage: waiting here would wait for ever.
fn claim(seen: &Seen) -> Health {
    let provisioner = ["volume.kubernetes.io", "volume.beta.kubernetes.io"]
        .iter()
        .find_map(|group| seen.metadata.annotations.get(&format!("{group}/storage-provisioner")));
    match (seen.status["phase"].as_str(), provisioner) {
        (Some("Lost"), _) => Health::Failed("its volume is lost".into()),
        (Some("Bound"), _) | (_, None) => Health::Ready,
        (_, Some(provisioner)) => waits(format!("waiting for a volume from `{provisioner}`")),
    }
}

fn service(seen: &Seen) -> Health {
    let addresses = seen.status["loadBalancer"]["ingress"].as_array();
    if seen.spec["type"] == "LoadBalancer" && addresses.is_none_or(Vec::is_empty) {
        return waits("waiting for the address of its load balancer");
    }
    Health::Ready
}

fn pod(seen: &Seen) -> Health {
    match seen.status["phase"].as_str() {
        Some("Succeeded") => Health::Ready,
        Some("Failed") => Health::Failed("its containers have ended".into()),
        _ if is_true(condition(seen, "Ready")) => Health::Ready,
        _ => waits("its containers are not ready"),
    }
}

/// Nobody waits for the last pods of what is stopped: whatever stops after it would go on meanwhile.
fn deployment(seen: &Seen) -> Health {
    if is_outdated(seen) {
        return waits(OUTDATED);
    }
    if let Some(progressing) = condition(seen, "Progressing")
        && progressing["reason"] == "ProgressDeadlineExceeded"
    {
        return Health::Failed("its pods did not become ready in time".into());
    }
    let wanted = seen.spec["replicas"].as_i64().unwrap_or(1);
    let status = &seen.status;
    let updated = number(status, "updatedReplicas");
    let old = number(status, "replicas") - updated;
    if let Some(failure) = condition(seen, "ReplicaFailure")
        && is_true(Some(failure))
    {
        // While pods are replaced, several services may need a quota's last room at once: each
        // pod that ends makes room for one that was refused.
        let passes = old > 0;
        return if passes { waits(sentence(failure)) } else { Health::Failed(sentence(failure)) };
    }
    if updated < wanted {
        return waits(format!("{updated} of {wanted} pods are made"));
    }
    if old > 0 && wanted > 0 {
        return waits(format!("{old} old pods have not ended"));
    }
    let available = number(status, "availableReplicas");
    if available < wanted {
        return waits(format!("{available} of {wanted} pods are ready"));
    }
    Health::Ready
}

fn stateful_set(seen: &Seen) -> Health {
    if is_outdated(seen) {
        return waits(OUTDATED);
    }
    let wanted = seen.spec["replicas"].as_i64().unwrap_or(1);
    let status = &seen.status;
    if wanted == 0 {
        return Health::Ready;
    }
    let ready = number(status, "readyReplicas");
    if ready < wanted {
        return waits(format!("{ready} of {wanted} pods are ready"));
    }
    let strategy = &seen.spec["updateStrategy"];
    if strategy["type"] == "OnDelete" {
        return Health::Ready;
    }
    let kept = strategy["rollingUpdate"]["partition"].as_i64().unwrap_or(0).min(wanted);
    let updated = number(status, "updatedReplicas");
    if updated < wanted - kept {
        return waits(format!("{updated} of {} pods are new", wanted - kept));
    }
    if number(status, "replicas") > wanted {
        return waits("pods that are too many have not ended");
    }
    Health::Ready
}

fn daemon_set(seen: &Seen) -> Health {
    if is_outdated(seen) {
        return waits(OUTDATED);
    }
    let wanted = number(&seen.status, "desiredNumberScheduled");
    let updated = number(&seen.status, "updatedNumberScheduled");
    let available = number(&seen.status, "numberAvailable");
    match (updated < wanted, available < wanted) {
        (true, _) => waits(format!("{updated} of {wanted} pods are new")),
        (false, true) => waits(format!("{available} of {wanted} pods are ready")),
        (false, false) => Health::Ready,
    }
}

fn job(seen: &Seen) -> Health {
    if let Some(failed) = condition(seen, "Failed")
        && is_true(Some(failed))
    {
        return Health::Failed(sentence(failed));
    }
    if is_true(condition(seen, "Complete")) {
        return Health::Ready;
    }
    if seen.spec["suspend"] == true {
        return waits("it is suspended");
    }
    // Stopped with its subscription, it keeps nobody waiting: it goes on when that does.
    if seen.spec["parallelism"] == 0 {
        return Health::Ready;
    }
    match (number(&seen.status, "active"), number(&seen.status, "failed")) {
        (0, 0) => waits("it has not begun"),
        (_, 0) => waits("it is running"),
        (0, failed) => waits(format!("{failed} tries have failed, the next one waits")),
        (_, failed) => waits(format!("{failed} tries have failed, the next one is running")),
    }
}

/// What kinds that we do not know agreed on.
fn custom(seen: &Seen) -> Health {
    if seen.status["observedGeneration"].is_i64() && is_outdated(seen) {
        return waits(OUTDATED);
    }
    let says = |name: &str, status: &str| {
        condition(seen, name).filter(|condition| condition["status"] == status)
    };
    if let Some(stalled) = says("Stalled", "True") {
        return Health::Failed(sentence(stalled));
    }
    if let Some(reconciling) = says("Reconciling", "True") {
        return waits(sentence(reconciling));
    }
    match condition(seen, "Ready") {
        Some(ready) if !is_true(Some(ready)) => waits(sentence(ready)),
        _ => Health::Ready,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(kind: &str, object: Value, expected: &str) {
        let (group, name) = kind.split_once('/').unwrap_or(("", kind));
        let seen: Seen = serde_json::from_value(object).unwrap();
        let health = match health(&Kind::new(group, name), &seen) {
            Health::Ready => "ready".to_owned(),
            Health::Progressing(reason) => format!("… {reason}"),
            Health::Failed(reason) => format!("✗ {reason}"),
        };
        assert_eq!(health, expected);
    }

    fn deployment(status: &Value) -> Value {
        json!({"metadata": {"name": "web", "generation": 2}, "spec": {"replicas": 2}, "status": status})
    }

    #[test]
    fn a_deployment_is_ready_when_all_its_pods_are_new_and_available() {
        let kind = "apps/Deployment";
        check(kind, deployment(&json!({})), "… its controller has not looked at the change yet");
        let status = |updated: i64, all: i64, available: i64| json!({"observedGeneration": 2, "updatedReplicas": updated, "replicas": all, "availableReplicas": available});
        check(kind, deployment(&status(1, 2, 2)), "… 1 of 2 pods are made");
        check(kind, deployment(&status(2, 3, 2)), "… 1 old pods have not ended");
        check(kind, deployment(&status(2, 2, 1)), "… 1 of 2 pods are ready");
        check(kind, deployment(&status(2, 2, 2)), "ready");
        let none = json!({"metadata": {"name": "web", "generation": 1}, "spec": {"replicas": 0}, "status": {"observedGeneration": 1}});
        check(kind, none, "ready");
    }

    #[test]
    fn a_deployment_fails_when_it_is_late_or_its_pods_are_refused() {
        let failed = |name: &str, status: &str, reason: &str| json!({"observedGeneration": 2, "conditions": [{"type": name, "status": status, "reason": reason, "message": "exceeded quota: acme."}]});
        let late = failed("Progressing", "False", "ProgressDeadlineExceeded");
        check("apps/Deployment", deployment(&late), "✗ its pods did not become ready in time");
        let refused = failed("ReplicaFailure", "True", "FailedCreate");
        check("apps/Deployment", deployment(&refused), "✗ exceeded quota: acme");
        let mut while_updated = refused;
        while_updated["replicas"] = json!(2);
        check("apps/Deployment", deployment(&while_updated), "… exceeded quota: acme");
    }

    #[test]
    fn what_is_stopped_is_not_waited_for() {
        let stopped = |status: Value| json!({"metadata": {"name": "x", "generation": 2}, "spec": {"replicas": 0}, "status": status});
        for kind in ["apps/Deployment", "apps/StatefulSet"] {
            check(
                kind,
                stopped(json!({"observedGeneration": 1, "replicas": 2})),
                &format!("… {OUTDATED}"),
            );
            let ending = json!({"observedGeneration": 2, "replicas": 1, "readyReplicas": 1});
            check(kind, stopped(ending), "ready");
        }
    }

    #[test]
    fn a_stateful_set_is_ready_when_its_pods_are_ready_and_new() {
        let set = |ready: i64, updated: i64, strategy: Value| {
            json!({"metadata": {"name": "db", "generation": 1}, "spec": {"replicas": 2, "updateStrategy": strategy},
            "status": {"observedGeneration": 1, "readyReplicas": ready, "updatedReplicas": updated, "replicas": 2}})
        };
        check("apps/StatefulSet", set(1, 2, json!({})), "… 1 of 2 pods are ready");
        check("apps/StatefulSet", set(2, 1, json!({})), "… 1 of 2 pods are new");
        check("apps/StatefulSet", set(2, 1, json!({"rollingUpdate": {"partition": 1}})), "ready");
        check("apps/StatefulSet", set(2, 0, json!({"type": "OnDelete"})), "ready");
        check("apps/StatefulSet", set(2, 2, json!({})), "ready");
    }

    #[test]
    fn a_job_is_ready_when_it_is_complete() {
        let job =
            |status: Value| json!({"metadata": {"name": "migrate"}, "spec": {}, "status": status});
        check("batch/Job", job(json!({})), "… it has not begun");
        check(
            "batch/Job",
            job(json!({"active": 1, "failed": 2})),
            "… 2 tries have failed, the next one is running",
        );
        let done = json!({"conditions": [{"type": "Complete", "status": "True"}]});
        check("batch/Job", job(done), "ready");
        let failed = json!({"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}]});
        check("batch/Job", job(failed), "✗ Job has reached the specified backoff limit");
        let stopped = json!({"metadata": {"name": "migrate"}, "spec": {"parallelism": 0}});
        check("batch/Job", stopped, "ready");
    }

    #[test]
    fn a_claim_waits_only_for_a_volume_that_somebody_makes() {
        let claim = |phase: &str, annotations: Value| json!({"metadata": {"name": "data", "annotations": annotations}, "status": {"phase": phase}});
        check("PersistentVolumeClaim", claim("Pending", json!({})), "ready");
        let made = json!({"volume.kubernetes.io/storage-provisioner": "local-path"});
        check(
            "PersistentVolumeClaim",
            claim("Pending", made.clone()),
            "… waiting for a volume from `local-path`",
        );
        check("PersistentVolumeClaim", claim("Bound", made.clone()), "ready");
        check("PersistentVolumeClaim", claim("Lost", made), "✗ its volume is lost");
    }

    #[test]
    fn other_kinds_are_ready_when_they_are_there_or_say_so() {
        let plain = json!({"metadata": {"name": "x"}});
        check("ConfigMap", plain.clone(), "ready");
        check("networking.k8s.io/Ingress", plain.clone(), "ready");
        check("batch/CronJob", plain.clone(), "ready");
        check("cert-manager.io/Certificate", plain, "ready");
        let not_yet = json!({"metadata": {"name": "x"}, "status": {"conditions": [{"type": "Ready", "status": "False", "message": "Issuing."}]}});
        check("cert-manager.io/Certificate", not_yet, "… Issuing");
        let balancer = json!({"metadata": {"name": "x"}, "spec": {"type": "LoadBalancer"}});
        check("Service", balancer, "… waiting for the address of its load balancer");
        let leaving =
            json!({"metadata": {"name": "x", "deletionTimestamp": "2026-01-01T00:00:00Z"}});
        check("Namespace", leaving, "… it is being deleted");
    }
}
