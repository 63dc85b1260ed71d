//! Pages of a list. A cursor says after which entry the next page begins; it is signed, so that
//! nobody makes one up, and belongs to one list with its filters. There are no offsets: a list
//! that grows while it is read is read whole, and no entry comes twice.

use axum::http::HeaderValue;
use axum::http::Uri;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::accounts::Keys;

/// How many entries a page has where nobody says.
const USUAL: u32 = 50;
/// How many a page has at most.
const MOST: u32 = 200;
/// Bytes of the seal: 128 bits.
const SEAL: usize = 16;

/// Entries of a list, and where the next page begins.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Send it as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// How many entries are asked for.
pub fn limit(asked: Option<u32>) -> Result<usize, Problem> {
    match asked.unwrap_or(USUAL) {
        limit @ 1..=MOST => Ok(limit as usize),
        _ => Err(Problem::field(
            "limit",
            "a page has 1 to 200 entries",
            "write a number from 1 to 200, and follow `next_cursor`",
        )),
    }
}

/// A cursor into a list: `list` names it with its filters, `position` is the last entry's place.
pub fn cursor(keys: &Keys, list: &str, position: &str) -> String {
    let seal = keys.seal(sealed(list, position).as_bytes());
    let mut bytes = seal.as_ref()[..SEAL].to_vec();
    bytes.extend_from_slice(position.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The position that a cursor stands for.
fn position(keys: &Keys, list: &str, cursor: &str) -> Result<String, Problem> {
    let wrong = || {
        Problem::field(
            "cursor",
            "this is no cursor of this list",
            "send the `next_cursor` of the page before, with the same filters",
        )
    };
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?;
    let (seal, position) = bytes.split_at_checked(SEAL).ok_or_else(wrong)?;
    let position = std::str::from_utf8(position).map_err(|_| wrong())?;
    let ours = keys.seal(sealed(list, position).as_bytes());
    // A cursor gives no rights: what it leads to is checked again. Still, the same time for all.
    let same = subtle::ConstantTimeEq::ct_eq(&ours.as_ref()[..SEAL], seal);
    if bool::from(same) { Ok(position.to_owned()) } else { Err(wrong()) }
}

/// Where a page begins: what `read` makes of the position of the cursor; none at the start.
pub fn after<T>(
    keys: &Keys,
    list: &str,
    cursor: Option<&str>,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    let position = cursor.map(|cursor| position(keys, list, cursor)).transpose()?;
    Ok(position.and_then(|position| read(&position)))
}

fn sealed(list: &str, position: &str) -> String {
    format!("{}\0{list}\0{position}", list.len())
}

impl<T> Page<T> {
    /// A page of what was read with one entry more than fits, which tells that there is a next.
    pub fn of(mut entries: Vec<T>, limit: usize, next: impl FnOnce(&T) -> String) -> Self {
        let more = entries.len() > limit;
        entries.truncate(limit);
        let next_cursor = if more { entries.last().map(next) } else { None };
        Self { items: entries, next_cursor }
    }
}

impl<T: Serialize> Page<T> {
    /// The answer, with `Link: rel="next"` (RFC 8288) beside the cursor in the body.
    pub fn answer(self, uri: &Uri) -> Response {
        linked(&self, self.next_cursor.as_deref(), uri)
    }
}

/// An answer with a page in it, and with `Link: rel="next"` where there is a next.
pub fn linked(answer: &impl Serialize, next: Option<&str>, uri: &Uri) -> Response {
    let mut response = axum::Json(answer).into_response();
    let link = next.map(|cursor| next_link(uri, cursor));
    if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}

fn next_link(uri: &Uri, cursor: &str) -> String {
    let query = uri.query().unwrap_or_default();
    let kept = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let query: Vec<&str> = kept.collect();
    let before = if query.is_empty() { String::new() } else { format!("{}&", query.join("&")) };
    format!("<{}?{before}cursor={cursor}>; rel=\"next\"", uri.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_belongs_to_its_list_and_is_not_made_up() {
        let keys = Keys::generate().unwrap();
        let made = cursor(&keys, "users tenant=acme", "2026 7");
        assert_eq!(position(&keys, "users tenant=acme", &made).unwrap(), "2026 7");
        for (list, cursor) in [
            ("users tenant=globex", made.clone()),
            (
                "users tenant=acme",
                cursor(&Keys::generate().unwrap(), "users tenant=acme", "2026 7"),
            ),
            ("users tenant=acme", made[1..].to_owned()),
            ("users tenant=acme", String::new()),
            ("users tenant=acme", "!".to_owned()),
        ] {
            assert!(position(&keys, list, &cursor).is_err(), "{list} {cursor}");
        }
    }

    #[test]
    fn a_page_that_is_not_the_last_says_where_the_next_begins() {
        let page = Page::of(vec![1, 2, 3], 2, |last| format!("after {last}"));
        assert_eq!((page.items, page.next_cursor.as_deref()), (vec![1, 2], Some("after 2")));
        let last = Page::of(vec![1, 2], 2, |_| unreachable!("there is no next"));
        assert_eq!(last.next_cursor, None);
        let uri: Uri = "/api/v1/x?limit=2&cursor=old&tenant=acme".parse().unwrap();
        assert_eq!(
            next_link(&uri, "new"),
            "</api/v1/x?limit=2&tenant=acme&cursor=new>; rel=\"next\""
        );
    }

    #[test]
    fn a_page_has_a_size() {
        assert_eq!(limit(None).unwrap(), 50);
        assert_eq!(limit(Some(200)).unwrap(), 200);
        assert!(limit(Some(0)).is_err() && limit(Some(201)).is_err());
    }
}
