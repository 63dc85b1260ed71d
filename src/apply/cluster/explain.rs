//! Why something is not ready, in the sentence that a person needs: the failing container's last
//! words, or the event that says why a pod waits. It costs a few reads, and is asked for only when
//! a stage is late or somebody wants to know.

use serde_json::Value;

use crate::apply::error::ApplyError;
use crate::model::ResourceId;
use crate::plan::Health;
use crate::plan::masking;

use super::Cluster;
use super::connection::Call;
use super::connection::escaped;
use super::health::health;
use super::kinds::Kind;
use super::observe::Seen;

/// How many pods and events are looked at: the first that fails says enough.
const LOOKED_AT: u32 = 50;
/// The last words of a container, cut to what fits into a sentence.
const LONGEST: usize = 300;

impl Cluster {
    /// Says why the thing is not ready; nothing where it is, or where nobody knows.
    pub async fn explain(&self, id: &ResourceId) -> Result<Option<String>, ApplyError> {
        let kind = Kind::of(id);
        let served = self.kinds().read(self.connection(), &kind).await?;
        let Some(served) = served else { return Ok(None) };
        let Some(there) = self.there(&served, id).await? else {
            return Ok(Some("it is not there".into()));
        };
        let health = health(&kind, &there.seen);
        if health.is_ready() {
            return Ok(None);
        }
        let selector = there.seen.spec["selector"]["matchLabels"].as_object();
        let selector = selector.map(|labels| {
            let pairs = labels.iter().filter_map(|(label, value)| Some((label, value.as_str()?)));
            pairs.map(|(label, value)| format!("{label}={value}")).collect::<Vec<_>>().join(",")
        });
        let told = match selector.filter(|_| matches!(&*kind.group, "apps" | "batch")) {
            Some(selector) => self.explain_workload(id, &there.seen, &selector).await?,
            None => self.last_warning(&id.namespace, &[&id.name]).await?,
        };
        Ok(told.or_else(|| reason(&health)).map(|told| masking::mask_text(&told)))
    }

    async fn explain_workload(
        &self,
        id: &ResourceId,
        seen: &Seen,
        selector: &str,
    ) -> Result<Option<String>, ApplyError> {
        let namespace = &*id.namespace;
        let path = format!(
            "/api/v1/namespaces/{}/pods?limit={LOOKED_AT}&labelSelector={}",
            escaped(namespace),
            escaped(selector)
        );
        let what = format!("looking at the pods of {id} was refused");
        let pods: Value = self.connection().read(&what, &Call::get(path)).await?;
        let mut pods: Vec<&Value> = pods["items"].as_array().into_iter().flatten().collect();
        // The newest is made as the specification says now.
        pods.sort_by_key(|pod| {
            std::cmp::Reverse(pod["metadata"]["creationTimestamp"].as_str().unwrap_or_default())
        });
        for pod in &pods {
            if let Some(trouble) = trouble(pod) {
                return self.with_last_words(namespace, pod, trouble).await.map(Some);
            }
        }
        let unready = pods.iter().find(|pod| !is_ready(pod));
        let Some(pod) = unready else {
            // No pod is there: whoever makes them says why, in a condition or an event.
            return match refusal(seen) {
                Some(refusal) => Ok(Some(refusal)),
                None => self.last_warning_below(namespace, &id.name).await,
            };
        };
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        let warning = self.last_warning(namespace, &[name]).await?;
        Ok(warning.map(|warning| format!("pod `{name}`: {warning}")))
    }

    /// Adds what a container said at its end, where it left no message.
    async fn with_last_words(
        &self,
        namespace: &str,
        pod: &Value,
        trouble: Trouble<'_>,
    ) -> Result<String, ApplyError> {
        let Some(container) = trouble.silent_container else { return Ok(trouble.sentence) };
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        let path = format!(
            "/api/v1/namespaces/{}/pods/{}/log?container={}&previous={}&tailLines=5&limitBytes=4096",
            escaped(namespace),
            escaped(name),
            escaped(container),
            trouble.restarted,
        );
        let what = format!("reading the log of pod `{name}` was refused");
        // Its node may be away, or its log gone. Then the sentence ends here.
        let Ok(reply) = self.connection().send(&what, &Call::get(path)).await else {
            return Ok(trouble.sentence);
        };
        let log = String::from_utf8_lossy(&reply.body);
        let last = log.lines().rev().find(|line| !line.trim().is_empty());
        Ok(match last {
            Some(last) => format!("{}: {}", trouble.sentence, short(last)),
            None => trouble.sentence,
        })
    }

    /// The newest warning about an object of one of these names.
    async fn last_warning(
        &self,
        namespace: &str,
        names: &[&str],
    ) -> Result<Option<String>, ApplyError> {
        self.newest_warning(namespace, |name| names.contains(&name)).await
    }

    /// The newest warning about an object or what it made, which begins with its name.
    async fn last_warning_below(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<String>, ApplyError> {
        let made = format!("{name}-");
        self.newest_warning(namespace, |about| about == name || about.starts_with(&made)).await
    }

    async fn newest_warning(
        &self,
        namespace: &str,
        is_about: impl Fn(&str) -> bool,
    ) -> Result<Option<String>, ApplyError> {
        // What stands in no namespace has its events in `default`.
        let namespace = if namespace.is_empty() { "default" } else { namespace };
        let path = format!(
            "/api/v1/namespaces/{}/events?fieldSelector={}",
            escaped(namespace),
            escaped("type=Warning")
        );
        let what = format!("looking at the events in `{namespace}` was refused");
        let events: Value = self.connection().read(&what, &Call::get(path)).await?;
        let newest = events["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|event| event["involvedObject"]["name"].as_str().is_some_and(&is_about))
            .max_by_key(|event| time(event));
        Ok(newest.and_then(|event| text(&event["message"])).map(short))
    }
}

fn reason(health: &Health) -> Option<String> {
    health.reason().map(str::to_owned)
}

/// When an event was last seen, by whichever of its fields says so.
fn time(event: &Value) -> &str {
    let times =
        [&event["lastTimestamp"], &event["eventTime"], &event["metadata"]["creationTimestamp"]];
    times.into_iter().find_map(Value::as_str).unwrap_or_default()
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// The last line that says something, cut to a length that can be read. What is secret in it is
/// hidden here, while it is a line: inside of a sentence a setting is not known as one.
fn short(text: &str) -> String {
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    let line = masking::mask_text(line);
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// What is wrong with a pod.
pub(super) struct Trouble<'a> {
    pub(super) sentence: String,
    /// The container that ended without leaving a message.
    silent_container: Option<&'a str>,
    /// Whether that container runs again already, so that its last words are of the one before.
    restarted: bool,
}

pub(super) fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready").is_some_and(|condition| condition["status"] == "True")
        || pod["status"]["phase"] == "Succeeded"
}

fn condition<'a>(pod: &'a Value, name: &str) -> Option<&'a Value> {
    pod["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == name)
}

/// Why pods are not even made.
fn refusal(seen: &Seen) -> Option<String> {
    let conditions = seen.status["conditions"].as_array()?;
    let failure = conditions
        .iter()
        .find(|condition| condition["type"] == "ReplicaFailure" && condition["status"] == "True")?;
    text(&failure["message"]).map(short)
}

/// What is wrong with a pod, as far as the pod itself says so.
pub(super) fn trouble(pod: &Value) -> Option<Trouble<'_>> {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let plain =
        |sentence: String| Some(Trouble { sentence, silent_container: None, restarted: false });
    if let Some(scheduled) = condition(pod, "PodScheduled")
        && scheduled["status"] == "False"
        && let Some(message) = text(&scheduled["message"])
    {
        return plain(format!("pod `{name}` has no node: {}", short(message)));
    }
    if pod["status"]["phase"] == "Failed"
        && let Some(message) = text(&pod["status"]["message"])
    {
        return plain(format!("pod `{name}` failed: {}", short(message)));
    }
    let status = &pod["status"];
    let containers = [&status["initContainerStatuses"], &status["containerStatuses"]];
    let mut containers = containers.into_iter().filter_map(Value::as_array).flatten();
    containers.find_map(|container| container_trouble(name, container))
}

fn container_trouble<'a>(pod: &str, container: &'a Value) -> Option<Trouble<'a>> {
    let name = container["name"].as_str().unwrap_or_default();
    let (now, before) = (&container["state"], &container["lastState"]["terminated"]);
    let ended = |ended: &Value, again: bool, restarted: bool| {
        let code = &ended["exitCode"];
        let why = match ended["reason"].as_str() {
            None | Some("Error" | "Completed") => String::new(),
            Some("OOMKilled") => " because it used more memory than its limit".into(),
            Some(reason) => format!(" ({reason})"),
        };
        let again = if again { " again and again, last" } else { "" };
        let sentence =
            format!("container `{name}` of pod `{pod}` ended{again} with code {code}{why}");
        match text(&ended["message"]) {
            Some(message) => Trouble {
                sentence: format!("{sentence}: {}", short(message)),
                silent_container: None,
                restarted,
            },
            None => Trouble { sentence, silent_container: Some(name), restarted },
        }
    };
    if let Some(reason) = now["waiting"]["reason"].as_str() {
        if before.is_object() && matches!(reason, "CrashLoopBackOff" | "Error") {
            return Some(ended(before, true, true));
        }
        if matches!(reason, "ContainerCreating" | "PodInitializing") {
            return None;
        }
        let message = text(&now["waiting"]["message"]);
        let said = message.map_or_else(String::new, |message| format!(": {}", short(message)));
        let sentence = format!("container `{name}` of pod `{pod}` cannot start ({reason}){said}");
        return Some(Trouble { sentence, silent_container: None, restarted: false });
    }
    let terminated = &now["terminated"];
    if terminated["exitCode"].as_i64().is_some_and(|code| code != 0) {
        return Some(ended(terminated, false, false));
    }
    // It runs again, but not for long, by experience.
    if container["ready"] == false && before["exitCode"].as_i64().is_some_and(|code| code != 0) {
        return Some(ended(before, true, true));
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(status: &Value) -> (String, Option<String>) {
        let pod = json!({"metadata": {"name": "web-1"}, "status": status});
        let trouble = trouble(&pod);
        let silent = trouble.as_ref().and_then(|trouble| trouble.silent_container);
        let silent = silent.map(str::to_owned);
        (trouble.map(|trouble| trouble.sentence).unwrap_or_default(), silent)
    }

    fn container(state: &Value, last: &Value) -> Value {
        json!({"containerStatuses": [{"name": "web", "ready": false, "state": state, "lastState": last}]})
    }

    #[test]
    fn a_pod_without_a_node_says_what_no_node_has() {
        let message = "0/3 nodes are available: 3 Insufficient memory.";
        let status = json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": message}]});
        assert_eq!(said(&status).0, format!("pod `web-1` has no node: {message}"));
    }

    #[test]
    fn a_container_that_ends_again_and_again_says_its_last_words() {
        let last = json!({"terminated": {"exitCode": 1, "reason": "Error", "message": "starting\nno such database\n"}});
        let (sentence, silent) =
            said(&container(&json!({"waiting": {"reason": "CrashLoopBackOff"}}), &last));
        assert_eq!(
            sentence,
            "container `web` of pod `web-1` ended again and again, last with code 1: no such database"
        );
        assert_eq!(silent, None);
        let last = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
        let (sentence, silent) = said(&container(&json!({"running": {}}), &last));
        assert!(
            sentence.ends_with("with code 137 because it used more memory than its limit"),
            "{sentence}"
        );
        assert_eq!(silent.as_deref(), Some("web"), "its log is to be read");
    }

    #[test]
    fn a_container_that_cannot_start_says_why() {
        let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"ghost:999\""}});
        assert_eq!(
            said(&container(&waiting, &json!({}))).0,
            "container `web` of pod `web-1` cannot start (ImagePullBackOff): Back-off pulling image \"ghost:999\""
        );
        assert_eq!(
            said(&container(&json!({"waiting": {"reason": "ContainerCreating"}}), &json!({}))).0,
            ""
        );
    }

    #[test]
    fn a_job_whose_container_failed_says_so() {
        let failed = json!({"terminated": {"exitCode": 3, "reason": "Error"}});
        let (sentence, silent) = said(&container(&failed, &json!({})));
        assert_eq!(sentence, "container `web` of pod `web-1` ended with code 3");
        assert_eq!(silent.as_deref(), Some("web"));
    }

    #[test]
    fn a_pod_that_is_well_has_nothing_to_say() {
        assert_eq!(said(&json!({"containerStatuses": [{"name": "web", "ready": true, "state": {"running": {}}}]})).0, "");
    }

    #[test]
    fn long_words_are_cut_at_a_letter() {
        assert_eq!(short(&"é".repeat(400)).chars().count(), LONGEST + 1);
    }
}
