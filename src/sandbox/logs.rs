//! Logs, played, too: what a container that starts, or fails to, would have written, and after that
//! the lines of the annotation `sandbox.tenantry.dev/log` of its pod.

use axum::response::Response;
use http::StatusCode;
use serde_json::Value;

use crate::sandbox::refusal::Refusal;
use crate::sandbox::route::Parameters;
use crate::sandbox::server::Incoming;
use crate::sandbox::server::Serving;
use crate::sandbox::server::plain;
use crate::sandbox::write::Target;

pub(crate) fn log(
    serving: &Serving,
    incoming: &Incoming,
    target: &Target,
) -> Result<Response, Refusal> {
    let pod = serving.cluster.find(target)?.body();
    let name = target.key.name.to_string();
    let parameters = &incoming.parameters;
    let container = container(&pod, &name, parameters.text("container"))?;
    let statuses = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
    let status = statuses.into_iter().find(|status| status["name"] == container);
    let waits = |why: &str| {
        let message =
            format!("container \"{container}\" in pod \"{name}\" is waiting to start: {why}");
        Refusal::bad_request(message)
    };
    let status = status.ok_or_else(|| waits("ContainerCreating"))?;
    let last = &status["lastState"]["terminated"];
    let previous = parameters.is_true("previous");
    if previous && !last.is_object() {
        let message =
            format!("previous terminated container \"{container}\" in pod \"{name}\" not found");
        return Err(Refusal::bad_request(message));
    }
    let state = &status["state"];
    if let Some(why) = state["waiting"]["reason"].as_str()
        && !last.is_object()
    {
        return Err(waits(why));
    }
    let (lines, began) = written(&pod, status, previous);
    let text = chosen(&lines, &began, parameters)?;
    Ok(plain(StatusCode::OK, "text/plain", text))
}

/// The container that is asked for; a pod with one needs no name.
fn container<'a>(pod: &'a Value, name: &str, asked: &str) -> Result<&'a str, Refusal> {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let mut names = containers.filter_map(|container| container["name"].as_str());
    let found = if asked.is_empty() { names.next() } else { names.find(|known| *known == asked) };
    found.ok_or_else(|| {
        Refusal::bad_request(format!("container {asked} is not valid for pod {name}"))
    })
}

/// What a container wrote, and when: all at once, when it began.
fn written(pod: &Value, status: &Value, previous: bool) -> (Vec<String>, String) {
    let name = status["name"].as_str().unwrap_or_default();
    let image = status["image"].as_str().unwrap_or_default();
    let last = &status["lastState"]["terminated"];
    let now = &status["state"];
    let mut lines = vec![format!("{name}: starting {image}")];
    let ended = if previous || last.is_object() { last } else { &now["terminated"] };
    if let Some(message) = ended["message"].as_str() {
        lines.push(message.to_owned());
    } else if status["ready"] == true {
        lines.push(format!("{name}: ready to serve"));
    }
    let more = pod["metadata"]["annotations"]["sandbox.tenantry.dev/log"].as_str();
    lines.extend(more.into_iter().flat_map(str::lines).map(str::to_owned));
    let began = [&now["running"]["startedAt"], &ended["startedAt"]];
    let began = began.into_iter().find_map(Value::as_str).unwrap_or("1970-01-01T00:00:00Z");
    (lines, began.to_owned())
}

/// The lines that the query chooses, as text.
fn chosen(lines: &[String], began: &str, parameters: &Parameters) -> Result<String, Refusal> {
    let time = |text: &str| text.parse::<jiff::Timestamp>();
    let since = match parameters.text("sinceTime") {
        "" => None,
        text => {
            let wrong = |_| Refusal::bad_request(format!("sinceTime: {text:?} is no time"));
            Some(time(text).map_err(wrong)?)
        }
    };
    if since.is_some_and(|since| time(began).is_ok_and(|began| began < since)) {
        return Ok(String::new());
    }
    let count = |name| parameters.number(name).and_then(|count| usize::try_from(count).ok());
    let skip = count("tailLines").map_or(0, |keep| lines.len().saturating_sub(keep));
    let stamped = parameters.is_true("timestamps");
    let stamp = if stamped { format!("{began} ") } else { String::new() };
    let mut text = String::new();
    for line in &lines[skip..] {
        text.extend([
            &*stamp, line, "
",
        ]);
    }
    if let Some(most) = count("limitBytes") {
        let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
    }
    Ok(text)
}
