//! What a line may show: whatever stands after the name of a secret is left out.

use std::borrow::Cow;

use super::rules::looks_like_a_secret;
use super::rules::names_a_secret;

/// What stands in its place.
pub(super) const HIDDEN: &str = "[hidden]";

/// The line without what may be a secret.
pub(super) fn masked(line: &str) -> Cow<'_, str> {
    if let Some(end) = end_of_secret_name(line) {
        return Cow::Owned(format!("{}{HIDDEN}", &line[..end]));
    }
    if looks_like_a_secret(line) {
        let end = line.find(": ").map_or(0, |colon| colon + 2);
        return Cow::Owned(format!("{}{HIDDEN}", &line[..end]));
    }
    Cow::Borrowed(line)
}

/// Where the first key that names a secret ends, with its colon. A key whose value is the name of
/// a generated credential is none.
fn end_of_secret_name(line: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(colon) = line[from..].find(": ").map(|colon| from + colon) {
        let before = line[..colon].trim_end_matches(['"', '\'']);
        let key = before
            .rsplit(|next: char| !(next.is_alphanumeric() || matches!(next, '_' | '-' | '.')))
            .next()
            .unwrap_or_default();
        let rest = line[colon + 2..].trim_start();
        let generated = rest.starts_with("{ credential:") || rest.starts_with("{credential:");
        if names_a_secret(key) && !rest.is_empty() && !generated && key != "credential" {
            return Some(colon + 2);
        }
        from = colon + 2;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn what_follows_the_name_of_a_secret_is_hidden() {
        for (line, shown) in [
            ("  DB_PASSWORD: hunter2", "  DB_PASSWORD: [hidden]"),
            ("  DB_PASSWORD: { value: hunter2 }", "  DB_PASSWORD: [hidden]"),
            ("  x: { a: b, apiKey: k }", "  x: { a: b, apiKey: [hidden]"),
            ("  DB_PASSWORD: { credential: db }", "  DB_PASSWORD: { credential: db }"),
            ("  url: postgres://a:hunter2@db/x", "  url: [hidden]"),
            ("  name: acme", "  name: acme"),
        ] {
            assert_eq!(masked(line), shown);
        }
    }
}
