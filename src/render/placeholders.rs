//! `{host}`, `{domain}` and other names of a subscription in the settings of a component.

use crate::model::typed;

/// The names that can be filled in, each with its value.
pub(super) struct Placeholders<'a>(pub(super) Vec<(&'static str, &'a str)>);

impl Placeholders<'_> {
    /// Fills in every `{name}`, or returns the name that is not known. What else stands in braces,
    /// such as JSON, stays as it is; so does everything that a value brings along.
    pub(super) fn fill(&self, text: &str) -> Result<String, String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let (before, from) = rest.split_at(open);
            filled.push_str(before);
            let name = from[1..].split('}').next().unwrap_or("");
            let closed = from.len() > name.len() + 1;
            if closed && is_name(name) {
                match self.0.iter().find(|(known, _)| *known == name) {
                    Some((_, value)) => filled.push_str(value),
                    None => return Err(name.to_owned()),
                }
                rest = &from[name.len() + 2..];
            } else {
                filled.push('{');
                rest = &from[1..];
            }
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// What to write instead of a name that is not known.
    pub(super) fn suggestion(&self, unknown: &str) -> String {
        let known: Vec<&str> = self.0.iter().map(|(name, _)| *name).collect();
        typed::suggestion(unknown, &known)
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str) -> Result<String, String> {
        Placeholders(vec![("host", "acme.example"), ("organisation", "{host} {{x}}")]).fill(text)
    }

    #[test]
    fn names_are_filled_in_once() {
        assert_eq!(fill("https://{host}/{host}").unwrap(), "https://acme.example/acme.example");
        assert_eq!(fill("{organisation}").unwrap(), "{host} {{x}}");
    }

    #[test]
    fn other_braces_stay() {
        for text in ["{\"a\": {\"b\": 1}}", "{}", "{", "a{1}b", "${HOME}", "{{"] {
            assert_eq!(fill(text).unwrap(), text);
        }
    }

    #[test]
    fn an_unknown_name_is_told() {
        assert_eq!(fill("{hots}"), Err("hots".into()));
        assert_eq!(Placeholders(vec![("host", "")]).suggestion("hots"), "did you mean `host`?");
    }
}
