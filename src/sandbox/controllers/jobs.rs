//! Jobs: pods until enough have succeeded or too many failed.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::sandbox::controllers::Controllers;
use crate::sandbox::controllers::Work;
use crate::sandbox::controllers::events::Source;
use crate::sandbox::controllers::hands::CONTROLLER;
use crate::sandbox::controllers::hands::set_condition;
use crate::sandbox::controllers::hands::set_count;
use crate::sandbox::controllers::hands::whole;
use crate::sandbox::controllers::replica_sets::is_active;
use crate::sandbox::controllers::replica_sets::is_ready;
use crate::sandbox::object::Key;
use crate::sandbox::object::Object;
use crate::sandbox::object::has_condition;
use crate::sandbox::object::now;
use crate::sandbox::object::written_time;

const SOURCE: Source = Source::Controller("job-controller");

/// How a job ended.
enum End {
    Complete,
    Failed { reason: &'static str, message: &'static str },
}

impl Controllers {
    pub(super) fn job(&mut self, key: &Key) {
        let kind = self.known.jobs.clone();
        let work = Work::Job(key.clone());
        let Some(job) = self.get(&kind, key).filter(|job| !job.deleting) else {
            self.failures.remove(&work);
            return;
        };
        let body = job.body();
        if has_condition(&body, "Complete") || has_condition(&body, "Failed") {
            return self.clean_up(key, &body);
        }
        let spec = &body["spec"];
        if spec["suspend"] == true {
            return;
        }
        let pods = self.owned(&self.known.pods, &job.uid);
        let in_phase = |phase: &str| pods.iter().filter(|pod| phase_of(pod) == phase).count();
        let (succeeded, failed) = (in_phase("Succeeded"), in_phase("Failed"));
        let mut active: Vec<Arc<Object>> =
            pods.iter().filter(|pod| is_active(pod)).cloned().collect();
        let completions = whole(&spec["completions"], 1);
        let started =
            body["status"]["startTime"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
        let deadline = spec["activeDeadlineSeconds"].as_i64();
        let late =
            deadline.zip(started).is_some_and(|(limit, since)| now() - since.as_second() >= limit);
        let end = if succeeded >= completions {
            Some(End::Complete)
        } else if late {
            let message = "Job was active longer than specified deadline";
            Some(End::Failed { reason: "DeadlineExceeded", message })
        } else if failed > whole(&spec["backoffLimit"], 6) {
            let message = "Job has reached the specified backoff limit";
            Some(End::Failed { reason: "BackoffLimitExceeded", message })
        } else {
            None
        };
        let mut refusal = None;
        if end.is_none() {
            let wanted = whole(&spec["parallelism"], 1).min(completions - succeeded);
            while active.len() < wanted && refusal.is_none() {
                match self.add_pod(&job, &body, "Job") {
                    Ok(pod) => active.push(pod),
                    Err(refused) => refusal = Some(refused),
                }
            }
            if let Some(limit) = deadline.filter(|_| started.is_none()) {
                self.enqueue_after(
                    Duration::from_secs(u64::try_from(limit).unwrap_or(0)),
                    work.clone(),
                );
            }
        } else {
            for pod in active.drain(..) {
                self.delete(&self.known.pods, &pod.key);
            }
        }
        self.tell_job(key, &active, succeeded, failed, end.as_ref());
        match (&end, refusal) {
            (_, Some(refused)) => self.refused(&work, &kind, &job, &refused),
            (Some(End::Complete), _) => {
                self.normal(SOURCE, &kind, &job, "Completed", "Job completed");
            }
            (Some(End::Failed { reason, message }), _) => {
                self.warning(SOURCE, &kind, &job, reason, message);
            }
            _ => drop(self.failures.remove(&work)),
        }
    }

    fn tell_job(
        &self,
        key: &Key,
        active: &[Arc<Object>],
        succeeded: usize,
        failed: usize,
        end: Option<&End>,
    ) {
        let minor = self.cluster.kinds.version.minor;
        let ready = active.iter().filter(|pod| is_ready(pod)).count();
        let count = active.len();
        let kind = self.known.jobs.clone();
        self.set_status(&kind, key, CONTROLLER, |status| {
            let time = written_time(now());
            if status["startTime"].is_null() {
                status["startTime"] = time.clone().into();
            }
            set_count(status, "active", count);
            set_count(status, "succeeded", succeeded);
            set_count(status, "failed", failed);
            if minor >= 24 {
                status["ready"] = ready.into();
            }
            match end {
                Some(End::Complete) => {
                    if minor >= 31 {
                        let message = "Reached expected number of succeeded pods";
                        set_job_condition(
                            status,
                            "SuccessCriteriaMet",
                            "CompletionsReached",
                            message,
                        );
                        set_job_condition(status, "Complete", "CompletionsReached", message);
                    } else {
                        set_job_condition(status, "Complete", "", "");
                    }
                    status["completionTime"] = time.into();
                }
                Some(End::Failed { reason, message }) => {
                    if minor >= 31 {
                        set_job_condition(status, "FailureTarget", reason, message);
                    }
                    set_job_condition(status, "Failed", reason, message);
                }
                None => {}
            }
        });
    }

    /// A finished job goes by itself if it says so.
    fn clean_up(&mut self, key: &Key, body: &Value) {
        let Some(seconds) = body["spec"]["ttlSecondsAfterFinished"].as_i64() else {
            return;
        };
        let conditions = body["status"]["conditions"].as_array().into_iter().flatten();
        let finished = conditions
            .filter(|condition| condition["type"] == "Complete" || condition["type"] == "Failed")
            .find_map(|condition| {
                condition["lastTransitionTime"].as_str()?.parse::<Timestamp>().ok()
            });
        let left = finished.map_or(0, |finished| finished.as_second() + seconds - now());
        if left <= 0 {
            self.delete(&self.known.jobs, key);
        } else {
            let pause = Duration::from_secs(u64::try_from(left).unwrap_or(0));
            self.enqueue_after(pause, Work::Job(key.clone()));
        }
    }
}

/// Conditions of jobs have probe times instead of update times.
fn set_job_condition(status: &mut Value, name: &str, reason: &str, message: &str) {
    set_condition(status, name, true, reason, message);
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        let Some(condition) = condition.as_object_mut() else {
            continue;
        };
        if let Some(time) = condition.shift_remove("lastUpdateTime") {
            condition.insert("lastProbeTime".to_owned(), time);
        }
        condition.retain(|_, value| value != "");
    }
}

fn phase_of(pod: &Object) -> &str {
    pod.facts.as_deref().map_or("", |facts| &*facts.phase)
}
