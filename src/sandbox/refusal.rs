//! Refusals, in the words and the shape of the real API: a `Status` with code, reason and details.

use serde_json::Value;
use serde_json::json;

use crate::sandbox::kinds::Kind;

/// What the client gets instead of what it asked for.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    reason: &'static str,
    pub(crate) message: String,
    details: Option<Value>,
}

/// A reason of a refusal, tied to a field.
#[derive(Clone, Debug)]
pub(crate) struct Cause {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) field: String,
}

impl Cause {
    pub(crate) fn required(field: &str, detail: &str) -> Self {
        let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        Self {
            reason: "FieldValueRequired",
            message: format!("Required value{detail}"),
            field: field.to_owned(),
        }
    }

    pub(crate) fn invalid(field: &str, value: &Value, detail: &str) -> Self {
        let message = format!("Invalid value: {value}: {detail}");
        Self { reason: "FieldValueInvalid", message, field: field.to_owned() }
    }

    pub(crate) fn forbidden(field: &str, detail: &str) -> Self {
        let message = format!("Forbidden: {detail}");
        Self { reason: "FieldValueForbidden", message, field: field.to_owned() }
    }

    pub(crate) fn unsupported(field: &str, value: &Value, supported: &[&str]) -> Self {
        let supported: Vec<String> = supported.iter().map(|value| format!("{value:?}")).collect();
        let message =
            format!("Unsupported value: {value}: supported values: {}", supported.join(", "));
        Self { reason: "FieldValueNotSupported", message, field: field.to_owned() }
    }
}

fn about(kind: &Kind, name: &str) -> Value {
    let mut details = json!({"name": name, "group": kind.group, "kind": kind.plural});
    if let Some(details) = details.as_object_mut() {
        details.retain(|_, value| value != "");
    }
    details
}

impl Refusal {
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None }
    }

    fn with(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", kind.qualified_plural());
        Self::new(404, "NotFound", message).with(about(kind, name))
    }

    pub(crate) fn no_such_path() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource")
            .with(json!({}))
    }

    pub(crate) fn already_exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", kind.qualified_plural());
        Self::new(409, "AlreadyExists", message).with(about(kind, name))
    }

    pub(crate) fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            kind.qualified_plural()
        );
        Self::new(409, "Conflict", message).with(about(kind, name))
    }

    pub(crate) fn modified(kind: &Kind, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, name, why)
    }

    /// Other managers own what would be applied.
    pub(crate) fn apply_conflict(message: String, conflicts: &[(String, String)]) -> Self {
        let causes: Vec<Value> = conflicts
            .iter()
            .map(|(who, field)| {
                json!({"reason": "FieldManagerConflict", "message": format!("conflict with {who}"), "field": field})
            })
            .collect();
        Self::new(409, "Conflict", message).with(json!({"causes": causes}))
    }

    pub(crate) fn forbidden(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("{} \"{name}\" is forbidden: {why}", kind.qualified_plural());
        Self::new(403, "Forbidden", message).with(about(kind, name))
    }

    pub(crate) fn terminating(kind: &Kind, name: &str, namespace: &str) -> Self {
        let why = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        let mut refusal = Self::forbidden(kind, name, &why);
        let cause = json!({
            "reason": "NamespaceTerminating",
            "message": format!("namespace {namespace} is being terminated"),
            "field": "metadata.namespace",
        });
        if let Some(details) = &mut refusal.details {
            details["causes"] = json!([cause]);
        }
        refusal
    }

    pub(crate) fn unprocessable(kind: &Kind, name: &str, causes: &[Cause]) -> Self {
        let said: Vec<String> =
            causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let said = if said.len() == 1 { said.concat() } else { format!("[{}]", said.join(", ")) };
        let message = format!("{} \"{name}\" is invalid: {said}", kind.qualified_kind());
        let mut details = about(kind, name);
        details["kind"] = kind.kind.clone().into();
        details["causes"] = causes
            .iter()
            .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}))
            .collect();
        Self::new(422, "Invalid", message).with(details)
    }

    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    pub(crate) fn not_allowed() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
        .with(json!({}))
    }

    /// The server is at fault, or pretends to be.
    pub(crate) fn failing(code: u16, retry_after: Option<u64>, message: &str) -> Self {
        let reason = match code {
            429 => "TooManyRequests",
            503 => "ServiceUnavailable",
            504 => "Timeout",
            403 => "Forbidden",
            _ => "InternalError",
        };
        let details = retry_after.map(|seconds| json!({"retryAfterSeconds": seconds}));
        Self { code, reason, message: message.to_owned(), details }
    }

    pub(crate) fn with_causes(mut self, causes: &Value) -> Self {
        self.details.get_or_insert_with(|| json!({}))["causes"] = causes.clone();
        self
    }

    pub(crate) fn retry_after(&self) -> Option<u64> {
        self.details.as_ref()?["retryAfterSeconds"].as_u64()
    }

    pub(crate) fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        });
        if let Some(status) = status.as_object_mut() {
            status.retain(|name, value| !(value.is_null() || name == "reason" && value == ""));
        }
        status
    }
}

/// What an unconditional success without an object looks like.
pub(crate) fn success(kind: &Kind, name: &str, uid: &str) -> Value {
    let mut details = about(kind, name);
    details["uid"] = uid.into();
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
