//! What no plan may show: the values of Secrets, settings whose name says they are secret,
//! passwords inside addresses, and private keys.

use serde_json::Value;

use crate::model::marks;

/// What stands in the place of a hidden value.
pub const HIDDEN: &str = "(hidden)";

/// Words that make a setting secret, wherever they stand in its name.
const SECRET_WORDS: [&str; 16] = [
    "apikey",
    "cookie",
    "credential",
    "credentials",
    "dsn",
    "key",
    "pass",
    "passphrase",
    "passwd",
    "password",
    "private",
    "pwd",
    "salt",
    "secret",
    "signature",
    "token",
];

/// Says whether a setting's name says that its value is secret: `DB_PASSWORD`, `apiKey`.
pub fn looks_secret(name: &str) -> bool {
    words(name).any(|word| SECRET_WORDS.contains(&word.as_str()))
}

/// The words of `SOME_NAME`, `some-name` and `someName`, in lower case.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut lower_before = false;
    for letter in name.chars() {
        let starts = letter.is_ascii_uppercase() && lower_before;
        if starts || !letter.is_ascii_alphanumeric() {
            words.push(String::new());
        }
        if letter.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(letter.to_ascii_lowercase());
        }
        lower_before = letter.is_ascii_lowercase() || letter.is_ascii_digit();
    }
    words.into_iter().filter(|word| !word.is_empty())
}

/// One step of the way to a value inside an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Field(String),
    /// An item of a list, by what tells it from the others, or by its position.
    Item(String),
}

/// Says whether the value at the end of a path is hidden whatever it is.
fn is_hidden_place(secret: bool, path: &[Step], value: &Value) -> bool {
    match path {
        // The keys of a Secret are no secret, and say what is in it.
        [Step::Field(field), rest @ ..] if secret && (field == "data" || field == "stringData") => {
            !rest.is_empty() || !value.is_object()
        }
        [Step::Field(data), Step::Field(key)] if data == "data" => looks_secret(key),
        [.., Step::Field(list), Step::Item(name), Step::Field(value)] => {
            list == "env" && value == "value" && looks_secret(name)
        }
        _ => false,
    }
}

fn generated() -> [Step; 2] {
    ["annotations", marks::GENERATE].map(|name| Step::Field(name.to_owned()))
}

/// An object without what must not be shown.
pub fn masked(object: &Value) -> Value {
    mask(object["kind"] == "Secret", &mut Vec::new(), object)
}

/// Hides what a value at the end of a path must not show.
pub(super) fn mask(secret: bool, path: &mut Vec<Step>, value: &Value) -> Value {
    if is_hidden_place(secret, path, value) {
        return Value::String(HIDDEN.into());
    }
    match value {
        // It names what is to be generated, and nothing that was.
        Value::String(text) if path.ends_with(&generated()) => Value::String(text.clone()),
        Value::String(text) => Value::String(mask_text(text)),
        Value::Array(items) => {
            let label = |position: usize, item: &Value| match item.get("name") {
                Some(Value::String(name)) => Step::Item(name.clone()),
                _ => Step::Item(position.to_string()),
            };
            let masked = items.iter().enumerate().map(|(position, item)| {
                path.push(label(position, item));
                let masked = mask(secret, path, item);
                path.pop();
                masked
            });
            Value::Array(masked.collect())
        }
        Value::Object(fields) => {
            let masked = fields.iter().map(|(key, value)| {
                path.push(Step::Field(key.clone()));
                let masked = mask(secret, path, value);
                path.pop();
                (key.clone(), masked)
            });
            Value::Object(masked.collect())
        }
        other => other.clone(),
    }
}

/// Hides what is secret inside a text, whatever its place: it may be a whole file.
pub fn mask_text(text: &str) -> String {
    if text.contains("PRIVATE KEY-----") {
        return HIDDEN.into();
    }
    let masked: Vec<String> =
        text.split('\n').map(|line| mask_setting(&mask_addresses(line))).collect();
    masked.join("\n")
}

/// `postgresql://acme:secret@host` shows who, not how.
fn mask_addresses(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(scheme) = rest.find("://") {
        let (before, after) = rest.split_at(scheme + 3);
        shown.push_str(before);
        let end = after
            .find(|letter: char| letter.is_whitespace() || "/\"'<>".contains(letter))
            .unwrap_or(after.len());
        let authority = &after[..end];
        match authority.rsplit_once('@').and_then(|(who, host)| Some((who.split_once(':')?, host)))
        {
            Some(((who, password), host)) if !is_reference(password) => {
                shown.extend([who, ":", HIDDEN, "@", host]);
            }
            _ => shown.push_str(authority),
        }
        rest = &after[end..];
    }
    shown.push_str(rest);
    shown
}

/// `password: secret`, `API_KEY=secret` and `--token=secret` show the name alone.
fn mask_setting(line: &str) -> String {
    let Some(separator) = line.find(['=', ':']) else { return line.to_owned() };
    let (name, value) = line.split_at(separator);
    let name_only = name.trim().trim_matches(['"', '\'']);
    let value_only = value[1..].trim().trim_matches(['"', '\'', ',']);
    let is_name = !name_only.is_empty() && !name_only.contains(char::is_whitespace);
    let is_address = value.starts_with("://");
    if is_name
        && !is_address
        && !value_only.is_empty()
        && !is_reference(value_only)
        && looks_secret(name_only)
    {
        let gap = if value[1..].starts_with(' ') { " " } else { "" };
        format!("{name}{}{gap}{HIDDEN}", &value[..1])
    } else {
        line.to_owned()
    }
}

/// `$(NAME)`, `${NAME}` and `$NAME` tell where the value comes from, not what it is.
fn is_reference(value: &str) -> bool {
    value.starts_with('$') || value == HIDDEN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_whether_a_setting_is_secret() {
        for secret in ["DB_PASSWORD", "apiKey", "smtp-pass", "JWT_SECRET", "TOKEN", "Private_Key"] {
            assert!(looks_secret(secret), "{secret}");
        }
        for plain in ["LOG_LEVEL", "KEYBOARD", "COMPASS_MODE", "MONKEY", "TOKENIZER", "PORT"] {
            assert!(!looks_secret(plain), "{plain}");
        }
    }

    #[test]
    fn what_is_to_be_generated_is_shown_and_what_was_is_not() {
        let secret = serde_json::json!({
            "kind": "Secret",
            "metadata": {"annotations": {"tenantry.dev/generate": "{\"jwt-secret\":{\"length\":44}}"}},
            "stringData": {"jwt-secret": "s3cret"},
        });
        let shown = masked(&secret);
        assert_eq!(shown["metadata"], secret["metadata"]);
        assert_eq!(shown["stringData"]["jwt-secret"], HIDDEN);
    }

    #[test]
    fn secrets_inside_texts_are_hidden_and_the_rest_is_not() {
        for (text, shown) in [
            ("postgresql://acme:s3cret@db:5432/acme", "postgresql://acme:(hidden)@db:5432/acme"),
            (
                "postgresql://acme:$(DB_PASSWORD)@db/acme",
                "postgresql://acme:$(DB_PASSWORD)@db/acme",
            ),
            ("https://acme.example.com:8443/a", "https://acme.example.com:8443/a"),
            ("a: 1\npassword: hunter2\n", "a: 1\npassword: (hidden)\n"),
            ("--token=abc", "--token=(hidden)"),
            ("\"api_key\": \"abc\",", "\"api_key\": (hidden)"),
            ("the key: to success", "the key: to success"),
            ("nothing secret", "nothing secret"),
            ("-----BEGIN PRIVATE KEY-----\nMIIE\n", "(hidden)"),
        ] {
            assert_eq!(mask_text(text), shown);
        }
    }
}
