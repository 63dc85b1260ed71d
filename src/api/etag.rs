//! Conditions: `ETag`, `If-None-Match` and `If-Match` (RFC 9110, 13), with the digest of a file as
//! the tag, so that a change of another file of a busy repository is no conflict.

use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::header;

use super::problem;
use super::problem::Problem;
use crate::model::Digest;

/// A strong tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ETag(pub Digest);

impl std::fmt::Display for ETag {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "\"{}\"", self.0)
    }
}

impl ETag {
    pub fn header(self) -> HeaderValue {
        HeaderValue::from_str(&self.to_string())
            .expect("because a digest is written in ASCII letters and digits")
    }

    /// Whether a reader has it already: `If-None-Match`, where weak tags count as well.
    pub fn is_known(self, headers: &HeaderMap) -> bool {
        let own = self.to_string();
        tags(headers, &header::IF_NONE_MATCH)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == own)
    }

    /// Whether a writer has seen what it changes: `If-Match`, where weak tags do not count.
    /// Missing is 428, stale is 412 with the tag as it is now.
    pub fn require(self, headers: &HeaderMap) -> Result<(), Problem> {
        let own = self.to_string();
        let mut given = tags(headers, &header::IF_MATCH).peekable();
        if given.peek().is_none() {
            return Err(Problem::new(
                problem::NO_PRECONDITION,
                "read it first, and send its `ETag` in `If-Match`",
            ));
        }
        if given.any(|tag| tag == "*" || tag == own) {
            return Ok(());
        }
        Err(Problem::from(problem::STALE).etag(own))
    }
}

fn tags<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        // Tags of ours hold no comma.
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_writer_has_to_have_seen_what_it_changes() {
        let tag = ETag(Digest::of(b"now"));
        let require = |value: &str| {
            tag.require(&headers(header::IF_MATCH, value))
                .map_err(|problem| problem.status().as_u16())
        };
        assert_eq!(require(&tag.to_string()), Ok(()));
        assert_eq!(require(&format!("\"other\", {tag}")), Ok(()));
        assert_eq!(require("*"), Ok(()));
        assert_eq!(require("\"other\""), Err(412));
        assert_eq!(require(&format!("W/{tag}")), Err(412));
        assert_eq!(require(""), Err(428));
        let missing = tag.require(&HeaderMap::new()).unwrap_err();
        assert_eq!(missing.status().as_u16(), 428);
    }

    #[test]
    fn a_reader_who_knows_it_is_told_so() {
        let tag = ETag(Digest::of(b"now"));
        assert!(tag.is_known(&headers(header::IF_NONE_MATCH, &format!("W/{tag}"))));
        assert!(!tag.is_known(&headers(header::IF_NONE_MATCH, "\"other\"")));
        assert!(!tag.is_known(&HeaderMap::new()));
    }
}
