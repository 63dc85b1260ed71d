//! Bodies and queries, read strictly: what is unknown, of a wrong type or too large is refused,
//! and the refusal names the field.

use axum::body::Bytes;
use axum::extract::FromRequest;
use axum::extract::FromRequestParts;
use axum::extract::Path;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header;
use axum::http::request::Parts;
use serde::Deserialize as _;
use serde::Deserializer;
use serde::de::DeserializeOwned;

use super::Api;
use super::problem;
use super::problem::Problem;
use crate::model::Secret;

/// A body in JSON.
pub struct Body<T>(pub T);

/// The parameters after the `?`.
pub struct Parameters<T>(pub T);

/// One part of the path. What cannot be a name of anything is not found.
pub struct Segment<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        if !is_json(&request) {
            return Err(problem::MEDIA_TYPE.into());
        }
        let bytes = Bytes::from_request(request, api).await.map_err(|rejection| {
            use axum::response::IntoResponse as _;
            if rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE {
                let detail = format!("at most {} bytes are taken", super::LARGEST_BODY);
                Problem::new(problem::TOO_LARGE, detail)
            } else {
                Problem::new(problem::MALFORMED, "the body broke off: send it again")
            }
        })?;
        read(&bytes).map(Self)
    }
}

fn is_json(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.and_then(|kind| kind.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if error.is_data() { wrong_field(&path, &error) } else { malformed(&error) }
    })?;
    reader.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> Problem {
    let detail = format!("the body is not JSON from line {} on", error.line());
    Problem::new(problem::MALFORMED, detail)
}

/// What serde says without its place, which the path of the field tells better.
fn wrong_field(path: &str, error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    Problem::from(problem::INVALID).with(name_of(path, message), message, Some(help_for(message)))
}

/// The field it is about: of a whole object it is the one that is missing.
fn name_of(path: &str, message: &str) -> String {
    let quoted = message.split('`').nth(1);
    match (path, quoted) {
        (".", Some(missing)) if message.starts_with("missing field") => missing.to_owned(),
        (path, Some(missing)) if message.starts_with("missing field") => {
            format!("{path}.{missing}")
        }
        (".", _) => "body".to_owned(),
        (path, _) => path.to_owned(),
    }
}

fn help_for(message: &str) -> String {
    let help = if message.starts_with("unknown field") {
        "leave it out, or write it as the API's reference does"
    } else if message.starts_with("missing field") {
        "add it"
    } else if message.starts_with("duplicate field") {
        "write it once"
    } else if message.starts_with("unknown variant") {
        "write one of those"
    } else {
        "write it as the API's reference does: GET /api/v1/docs"
    };
    help.to_owned()
}

impl<T: DeserializeOwned> FromRequestParts<Api> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        // Without a way to keep unknown parameters the reader would pass over them.
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query)
            .map_err(|_| Problem::new(problem::MALFORMED, "the query cannot be read"))?;
        let reader = serde_urlencoded::Deserializer::new(form(query));
        serde_path_to_error::deserialize(reader).map(Self).map_err(|error| {
            let path = error.path().to_string();
            let message = error.into_inner().to_string();
            let known = pairs.iter().find(|(name, _)| message.contains(&format!("`{name}`")));
            let field = match known {
                Some((name, _)) if path == "." => name.clone(),
                _ => name_of(&path, &message),
            };
            Problem::from(problem::INVALID).with(field, &message, Some(help_for(&message)))
        })
    }
}

fn form(query: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.as_bytes())
}

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for Segment<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, api).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(_) => Err(problem::NOT_FOUND.into()),
        }
    }
}

/// Reads a text that must not be printed. At most a kilobyte: no password or token is longer.
pub(super) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.len() > 1024 {
        return Err(serde::de::Error::custom("it is longer than 1024 bytes"));
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[expect(dead_code, reason = "it is only read")]
        package: String,
        #[serde(default)]
        #[expect(dead_code, reason = "it is only read")]
        parts: Vec<u8>,
    }

    fn refused(text: &str) -> String {
        let problem = read::<Order>(text.as_bytes()).unwrap_err();
        serde_json::to_string(&problem).unwrap()
    }

    #[test]
    fn what_is_wrong_with_a_body_is_told_with_its_field() {
        for (text, parts) in [
            ("{", ["malformed-request", "line 1"]),
            ("", ["malformed-request", "line 1"]),
            (r#"{"package":"a"} x"#, ["malformed-request", "line 1"]),
            ("{}", [r#""field":"package""#, "missing field"]),
            (r#"{"package":1}"#, [r#""field":"package""#, "invalid type"]),
            (r#"{"package":"a","x":1}"#, [r#""field":"x""#, "unknown field"]),
            (r#"{"package":"a","package":"b"}"#, ["duplicate field", "invalid-fields"]),
            (r#"{"package":"a","parts":[1,"b"]}"#, [r#""field":"parts[1]""#, "invalid type"]),
            (r#"{"package":"a","parts":[300]}"#, [r#""field":"parts[0]""#, "invalid value"]),
            ("[]", ["invalid-fields", "field"]),
        ] {
            let told = refused(text);
            assert!(parts.iter().all(|part| told.contains(part)), "{text}: {told}");
        }
        assert!(read::<Order>(br#"{"package":"a"}"#).is_ok());
    }
}
