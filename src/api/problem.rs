//! Problems: every refusal of the API, as `application/problem+json` (RFC 9457). A problem says
//! what happened, which field it is about, and what to do; it never says what the database said.

use std::time::Duration;

use axum::Json;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::accounts::AccountError;
use crate::accounts::Invalid;
use crate::accounts::access::InvalidAccess;
use crate::alerts::AlertError;
use crate::billing::ledger::LedgerError;
use crate::edits::EditError;
use crate::edits::Refused;
use crate::history::HistoryError;
use crate::operations::OperationError;
use crate::payments::PaymentError;
use crate::pods::LogError;
use crate::pods::PodError;
use crate::usage::UsageError;
use crate::workers::WorkersError;

/// A kind of problem. Its code is stable: clients may rely on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    pub code: &'static str,
    pub status: StatusCode,
    pub title: &'static str,
    /// What it means, and what to do, for the reference page.
    pub help: &'static str,
}

macro_rules! kinds {
    ($($name:ident = $code:literal, $status:ident, $title:literal, $help:literal;)+) => {
        $(pub const $name: Kind = Kind {
            code: $code,
            status: StatusCode::$status,
            title: $title,
            help: $help,
        };)+
        /// Every kind there is.
        pub const KINDS: &[Kind] = &[$($name),+];
    };
}

kinds! {
    MALFORMED = "malformed-request", BAD_REQUEST, "The request cannot be read",
        "The body is not JSON, or a parameter is not what its place asks for. `detail` says where.";
    INVALID = "invalid-fields", UNPROCESSABLE_ENTITY, "Fields are filled in wrongly",
        "`errors` names each field, what is wrong with it, and what to write instead.";
    CREDENTIALS = "wrong-credentials", UNAUTHORIZED, "The address or the password is wrong",
        "Both are told as one, so that nobody learns who has an account. Reset the password if it is forgotten.";
    UNVERIFIED = "address-unverified", FORBIDDEN, "The mail address is not verified yet",
        "Follow the link in the mail, or have it sent again with `POST /api/v1/auth/resend`.";
    UNAUTHENTICATED = "unauthenticated", UNAUTHORIZED, "Nobody is logged in",
        "Send `Authorization: Bearer …` with an access token or an API token.";
    ACCESS_INVALID = "access-token-invalid", UNAUTHORIZED, "The access token is not good",
        "It is not ours, was revoked, or has expired. Refresh the session, or log in again.";
    TOKEN_INVALID = "token-invalid", UNAUTHORIZED, "The token is not known, was used, or has expired",
        "Ask for a new one: log in again, or have the mail sent again.";
    TOKEN_REUSED = "refresh-token-reused", UNAUTHORIZED, "The refresh token was used before",
        "Somebody may have copied it, so the whole session is ended. Log in again.";
    FORBIDDEN = "forbidden", FORBIDDEN, "This is not yours to do",
        "The role or the scopes of the token do not allow it. `detail` says what it takes.";
    NOT_FOUND = "not-found", NOT_FOUND, "There is no such thing",
        "It does not exist, or it is not yours: the answer is the same.";
    METHOD = "method-not-allowed", METHOD_NOT_ALLOWED, "This cannot be done here",
        "The header `Allow` lists what can.";
    CONFLICT = "conflict", CONFLICT, "This cannot be done as things stand",
        "`detail` says what stands against it.";
    UNPAID = "not-enough-money", PAYMENT_REQUIRED, "There is not enough in the wallet",
        "Top the wallet up by the difference that `detail` names, and pay again.";
    REFUSED = "change-refused", CONFLICT, "The change would break something",
        "`errors` says what validation found, and how it is right. Nothing was changed.";
    NO_ROOM = "no-room", CONFLICT, "No cluster has room for this",
        "Nothing was ordered. Choose a smaller package or another region, or ask support.";
    STALE = "precondition-failed", PRECONDITION_FAILED, "It was changed meanwhile",
        "Read it again, decide again, and send the new `ETag` in `If-Match`.";
    NO_PRECONDITION = "precondition-required", PRECONDITION_REQUIRED, "A condition is missing",
        "Send the `ETag` of what was read in `If-Match`, so that nobody's change is overwritten (RFC 6585).";
    TOO_LARGE = "body-too-large", PAYLOAD_TOO_LARGE, "The body is too large",
        "`detail` says how much is taken.";
    MEDIA_TYPE = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "The body is not JSON",
        "Send it as `Content-Type: application/json`.";
    KEY_MISSING = "idempotency-key-missing", BAD_REQUEST, "An idempotency key is missing",
        "Send a fresh `Idempotency-Key`, such as a UUID, and the same one when you try again.";
    KEY_REUSED = "idempotency-key-reused", UNPROCESSABLE_ENTITY, "The idempotency key belongs to another request",
        "A key stands for one request. Send a fresh one with another body.";
    KEY_IN_USE = "idempotency-key-in-use", CONFLICT, "The same request is being answered",
        "Wait as long as `Retry-After` says, and send it again with the same key.";
    LOGIN_LIMITED = "login-limited", TOO_MANY_REQUESTS, "Too many logins failed",
        "Wait as long as `Retry-After` says.";
    QUOTA = "quota-exceeded", TOO_MANY_REQUESTS, "Too many requests",
        "Wait as long as `Retry-After` says; `RateLimit` tells how much is left.";
    INTERNAL = "internal-error", INTERNAL_SERVER_ERROR, "Something went wrong on our side",
        "Tell support the `request_id`: the log knows the rest.";
    UNAVAILABLE = "unavailable", SERVICE_UNAVAILABLE, "This cannot be answered at the moment",
        "Something we depend on is away. Wait as long as `Retry-After` says, and try again.";
    TIMEOUT = "timeout", SERVICE_UNAVAILABLE, "The answer took too long",
        "Try again; with an idempotency key nothing is done twice.";
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Where it is, such as `scopes[0]`.
    pub field: String,
    pub message: String,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// A refusal. What it says is large, and rarely needed: it is kept aside.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Problem(Box<Document>);

/// A refusal, in the form of RFC 9457.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Document {
    /// Identifies the kind of problem; `GET /api/v1/problems` explains each.
    #[serde(rename = "type")]
    uri: String,
    title: &'static str,
    status: u16,
    /// What happened this time, and what to do.
    detail: String,
    /// The path that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    /// The last part of `type`: what programs look at.
    code: &'static str,
    /// The fields it is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// In seconds, as in the header `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    /// What the log knows this request by.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// The `ETag` as it is now, where the one that was sent is stale.
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
}

impl Kind {
    /// What identifies it for ever.
    pub fn uri(self) -> String {
        // Registered with IANA by the draft on rate limits: others know it by this name.
        if self == QUOTA {
            return "https://iana.org/assignments/http-problem-types#quota-exceeded".to_owned();
        }
        format!("https://tenantry.dev/problems/{}", self.code)
    }
}

impl From<Kind> for Problem {
    fn from(kind: Kind) -> Self {
        Self(Box::new(Document {
            uri: kind.uri(),
            title: kind.title,
            status: kind.status.as_u16(),
            detail: kind.help.to_owned(),
            instance: None,
            code: kind.code,
            errors: Vec::new(),
            retry_after: None,
            request_id: None,
            etag: None,
        }))
    }
}

impl Problem {
    /// A problem of a kind, and what happened.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let mut problem = Self::from(kind);
        problem.0.detail = detail.into();
        problem
    }

    /// One field is filled in wrongly.
    pub fn field(
        field: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self::from(INVALID).with(field, message, Some(help.into()))
    }

    /// Names one more field.
    #[must_use]
    pub fn with(
        mut self,
        field: impl Into<String>,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Self {
        self.0.errors.push(FieldError { field: field.into(), message: message.into(), help });
        self
    }

    /// When it makes sense to try again; in whole seconds, at least one.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.0.retry_after = Some(whole.max(1));
        self
    }

    /// The tag as it is now.
    #[must_use]
    pub fn etag(mut self, etag: String) -> Self {
        self.0.etag = Some(etag);
        self
    }

    /// Says which request it is about.
    #[must_use]
    pub fn about(mut self, path: &str, request_id: &str) -> Self {
        self.0.instance = Some(path.to_owned());
        self.0.request_id = Some(request_id.to_owned());
        self
    }

    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// Something that should not happen: it is logged here, and told without what was wrong.
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!("a request failed: {error}");
        INTERNAL.into()
    }

    /// Something we depend on is away.
    pub fn away(detail: impl Into<String>) -> Self {
        Self::new(UNAVAILABLE, detail).retry_after(Duration::from_secs(5))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.0.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"tenantry\""),
            );
        }
        // Whoever stands further out knows the request and says so in it.
        response.extensions_mut().insert(self);
        response
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Away => Self::away("our database is away; nothing was changed"),
            AccountError::Database(error) => Self::internal(&error),
            AccountError::Internal(error) => Self::internal(&error),
            AccountError::Invalid(fields) => fields.into_iter().fold(
                Self::from(INVALID),
                |problem, Invalid { field, message, help }| {
                    problem.with(field, message, Some(help))
                },
            ),
            AccountError::Credentials => CREDENTIALS.into(),
            AccountError::Unverified => UNVERIFIED.into(),
            AccountError::Limited { retry_after } => {
                Self::from(LOGIN_LIMITED).retry_after(retry_after)
            }
            AccountError::Token => TOKEN_INVALID.into(),
            AccountError::Reused => TOKEN_REUSED.into(),
            AccountError::Missing => NOT_FOUND.into(),
            AccountError::Conflict(why) => Self::new(CONFLICT, why),
        }
    }
}

impl From<InvalidAccess> for Problem {
    fn from(error: InvalidAccess) -> Self {
        Self::new(ACCESS_INVALID, error.to_string())
    }
}

impl From<EditError> for Problem {
    fn from(error: EditError) -> Self {
        match error {
            EditError::Refused(refused @ Refused::NoPlace(_)) => {
                Self::new(NO_ROOM, refused.to_string())
            }
            EditError::Refused(refused) => Self::new(CONFLICT, refused.to_string()),
            EditError::Breaks { .. } => Self::new(REFUSED, "validation would refuse the commit"),
            error if error.is_passing() => {
                tracing::warn!("the repository cannot be used: {error}");
                Self::away("the repository is away; nothing was changed")
            }
            error => Self::internal(&error),
        }
    }
}

impl From<OperationError> for Problem {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Invalid { field, message, help } => Self::field(field, message, help),
            OperationError::Conflict(why) => Self::new(CONFLICT, why),
            OperationError::Unpaid(why) => Self::new(UNPAID, why),
            OperationError::Missing => NOT_FOUND.into(),
            OperationError::Edit(error) => error.into(),
            OperationError::Account(error) => error.into(),
            OperationError::History(error) => error.into(),
            OperationError::Quote(error) => Self::new(CONFLICT, error.to_string()),
            OperationError::Calendar(error) => Self::new(CONFLICT, error.to_string()),
            error if error.is_passing() => Self::away("our database is away; nothing was changed"),
            error => Self::internal(&error),
        }
    }
}

impl From<PaymentError> for Problem {
    fn from(error: PaymentError) -> Self {
        match error {
            PaymentError::Account(error) => error.into(),
            PaymentError::Gateway(error) if error.is_passing() => {
                tracing::warn!("a provider cannot be used: {error}");
                Self::away(
                    "whoever takes this payment does not answer as it should; nothing was paid",
                )
            }
            PaymentError::Gateway(error) => Self::new(CONFLICT, error.to_string()),
            error @ (PaymentError::NotTaken { .. } | PaymentError::NotSet(_)) => {
                Self::field("provider", error.to_string(), "see `ways` of `GET /api/v1/wallet`")
            }
            error @ PaymentError::AboveLeft { .. } => {
                Self::field("amount", error.to_string(), "send back at most what is left")
            }
            PaymentError::Ledger(error) => error.into(),
            PaymentError::Missing(_) => NOT_FOUND.into(),
            PaymentError::Reused(_) => KEY_REUSED.into(),
            PaymentError::Conflict(why) => Self::new(CONFLICT, why),
            error if error.is_passing() => Self::away("our database is away; nothing was changed"),
            error => Self::internal(&error),
        }
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match error {
            error @ LedgerError::Insufficient { .. } => Self::new(UNPAID, error.to_string()),
            error @ (LedgerError::Amount(_) | LedgerError::Arithmetic(_)) => {
                Self::field("amount", error.to_string(), "write an amount that can be booked")
            }
            error @ (LedgerError::Closed | LedgerError::NoEvidence) => {
                Self::new(CONFLICT, error.to_string())
            }
            LedgerError::KeyReused { .. } => KEY_REUSED.into(),
            error if error.is_passing() => Self::away("our database is away; nothing was changed"),
            error => Self::internal(&error),
        }
    }
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Gone => NOT_FOUND.into(),
            LogError::NotThere(why) => Self::new(CONFLICT, why),
            LogError::Away(why) => {
                tracing::warn!("a log cannot be read: {why}");
                Self::away("the cluster cannot be asked for the log now")
            }
        }
    }
}

impl From<PodError> for Problem {
    fn from(error: PodError) -> Self {
        if crate::postgres::is_away(&error.0) {
            Self::away("our database is away")
        } else {
            Self::internal(&error)
        }
    }
}

impl From<UsageError> for Problem {
    fn from(error: UsageError) -> Self {
        match &error {
            UsageError::Database(source) if crate::postgres::is_away(source) => {
                Self::away("our database is away")
            }
            UsageError::Database(_) | UsageError::Unreadable(_) => Self::internal(&error),
        }
    }
}

impl From<AlertError> for Problem {
    fn from(error: AlertError) -> Self {
        match error {
            AlertError::Database(error) if crate::postgres::is_away(&error) => {
                Self::away("our database is away; nothing was changed")
            }
            AlertError::Account(error) => error.into(),
            AlertError::Database(_) | AlertError::Unreadable(_) => Self::internal(&error),
        }
    }
}

impl From<WorkersError> for Problem {
    fn from(error: WorkersError) -> Self {
        match &error {
            WorkersError::Database(source) if crate::postgres::is_away(source) => {
                Self::away("our database is away")
            }
            WorkersError::Database(_) | WorkersError::Unreadable(_) => Self::internal(&error),
        }
    }
}

impl From<HistoryError> for Problem {
    fn from(error: HistoryError) -> Self {
        match &error {
            HistoryError::Database { source, .. } if crate::postgres::is_away(source) => {
                Self::away("our database is away")
            }
            HistoryError::Database { .. } | HistoryError::Unreadable { .. } => {
                Self::internal(&error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_problem_has_a_code_of_its_own_and_says_what_to_do() {
        let mut codes: Vec<&str> = KINDS.iter().map(|kind| kind.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), KINDS.len());
        assert!(KINDS.iter().all(|kind| kind.help.ends_with('.') && !kind.title.ends_with('.')));
    }

    #[test]
    fn what_the_database_said_is_not_told() {
        let error = sqlx::Error::Protocol("column \"password\" does not exist".into());
        let problem = Problem::from(AccountError::Database(error));
        assert!(!serde_json::to_string(&problem).unwrap().contains("password"));
    }
}
