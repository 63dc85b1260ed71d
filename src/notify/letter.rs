//! From a mail's name, language and values to what is sent. Templates are strict, do bounded work,
//! and see nothing but the values.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::tz::TimeZone;
use minijinja::AutoEscape;
use minijinja::Environment;
use minijinja::UndefinedBehavior;
use serde_json::Map;
use serde_json::Value;

use super::catalog;
use super::catalog::LAYOUT;
use super::html;
use super::html::LINK;
use super::own::Own;
use super::words;
use crate::outbox::Mail;

/// The languages that mails are written in; the first is for everybody else.
pub const LANGUAGES: [&str; 4] = ["en", "vi", "id", "ru"];
/// How many steps one letter may take.
const FUEL: u64 = 20_000;
/// The longest text that a value may be, in characters.
const LONGEST_VALUE: usize = 2_000;
/// The longest name that somebody is greeted by, in characters.
const LONGEST_NAME: usize = 80;
/// The largest letter, in bytes.
const LONGEST_LETTER: usize = 256 << 10;
/// What the head of a section begins with; the language follows.
const HEAD: &str = "=== ";
/// The longest subject, in characters.
const LONGEST_SUBJECT: usize = 200;

/// Who writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct House {
    /// What the platform is called: its domain.
    pub platform: String,
    /// Where customers find the portal, such as `https://portal.example.com`.
    pub portal: String,
    /// Where customers ask.
    pub support: String,
    /// Where days begin and end.
    pub zone: TimeZone,
    /// What is said in other words than ours.
    pub own: Arc<Own>,
}

/// A letter, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Why a letter cannot be written. No value is repeated: some are secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LetterError {
    #[error("there is no mail `{0}`; `tenantry mail list` names them all")]
    Unknown(String),
    #[error("the mail `{name}` in {language} cannot be written: {why}")]
    Template { name: String, language: String, why: String },
}

impl House {
    /// Writes a letter: in the house's own words, and where these do not fit what is to be said, in
    /// ours.
    pub fn write(&self, mail: &Mail) -> Result<Letter, LetterError> {
        match self.in_own_words(mail) {
            Err(error @ LetterError::Template { .. }) if *self.own != Own::default() => {
                tracing::warn!("{error}; the text that is built in is sent");
                let usual = Self { own: Arc::default(), ..self.clone() };
                usual.in_own_words(mail)
            }
            written => written,
        }
    }

    /// Writes a letter, or says why these words do not fit.
    pub(super) fn in_own_words(&self, mail: &Mail) -> Result<Letter, LetterError> {
        let template = catalog::find(&mail.template)
            .ok_or_else(|| LetterError::Unknown(mail.template.clone()))?;
        let language = LANGUAGES.into_iter().find(|known| *known == mail.language).unwrap_or("en");
        let wrong = |why: String| LetterError::Template {
            name: mail.template.clone(),
            language: language.to_owned(),
            why,
        };
        let said = self.own.section(template.name, language);
        let said = said.or_else(|| section(template.source, language));
        let said = said.ok_or_else(|| wrong("the language is missing".to_owned()))?;
        let layout = self.own.layout(language).or_else(|| section(LAYOUT, language));
        let layout = layout.ok_or_else(|| wrong("the layout lacks the language".to_owned()))?;
        let (subject, body) = said.split_once('\n').unwrap_or((said, ""));
        // The first line of a layout is of no use.
        let (_, layout) = layout.split_once('\n').unwrap_or_default();
        let mut values = self.values(mail, language);
        let environment = self.environment();
        let fill = |source: &str, values: &Map<String, Value>| {
            let source = source.replace("=> ", LINK.encode_utf8(&mut [0; 4]));
            let filled = environment.render_str(&source, minijinja::value::Serde(values));
            // The message of an error names what is undefined, and no value of it.
            let filled = filled.map_err(|error| wrong(error.to_string()))?;
            if filled.len() > LONGEST_LETTER {
                return Err(wrong(format!("it becomes more than {LONGEST_LETTER} bytes")));
            }
            Ok(filled)
        };
        let subject = one_line(&fill(subject, &values)?, LONGEST_SUBJECT);
        let body = fill(body, &values)?;
        values.insert("subject".to_owned(), subject.clone().into());
        values.insert("body".to_owned(), body.trim().into());
        let text = fill(layout, &values)?;
        let html = html::page(language, &subject, &text);
        Ok(Letter { text: told(&text), subject, html })
    }

    fn values(&self, mail: &Mail, language: &str) -> Map<String, Value> {
        let mut values = match harmless(&mail.values) {
            Value::Object(values) => values,
            _ => Map::new(),
        };
        for (name, value) in [
            ("platform", &*self.platform),
            ("portal", &*self.portal),
            ("support", &*self.support),
            ("language", language),
        ] {
            values.insert(name.to_owned(), value.into());
        }
        let name = values.get("name").and_then(Value::as_str).filter(|name| is_a_name(name));
        let name = name.unwrap_or(&mail.to).to_owned();
        values.insert("name".to_owned(), name.into());
        values
    }

    fn environment(&self) -> Environment<'static> {
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        words::add_to(&mut environment, self.zone.clone());
        environment
    }
}

/// The section of one language, its subject first.
fn section<'a>(source: &'a str, language: &str) -> Option<&'a str> {
    sections(source)?.into_iter().find(|(_, name, _)| *name == language).map(|(.., text)| text)
}

/// The sections of a file, each with the line of its head and the language that this names; none
/// where the file does not begin with one.
pub(super) fn sections(source: &str) -> Option<Vec<(usize, &str, &str)>> {
    let mut sections = Vec::new();
    let mut rest = source.strip_prefix(HEAD)?;
    let mut line = 1;
    loop {
        let next = rest.find("\n=== ").map(|at| at + 1);
        let (part, after) = rest.split_at(next.unwrap_or(rest.len()));
        let (name, text) = part.split_once('\n')?;
        sections.push((line, name.trim(), text));
        let Some(after) = after.strip_prefix(HEAD) else { return Some(sections) };
        line += part.matches('\n').count();
        rest = after;
    }
}

/// Values in which no line begins and nothing is hidden: whoever wrote them might want to look
/// like us.
fn harmless(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(one_line(text, LONGEST_VALUE)),
        Value::Array(values) => Value::Array(values.iter().map(harmless).collect()),
        Value::Object(values) => {
            let values = values.iter().map(|(name, value)| (name.clone(), harmless(value)));
            Value::Object(values.collect())
        }
        other => other.clone(),
    }
}

/// Whether mail programs take it for a name. Whoever registers somebody else's address must not say
/// something to them through us, least of all where to click.
fn is_a_name(text: &str) -> bool {
    let mut letters = text.chars().peekable();
    let mut address = text.contains(['/', ':', '@']);
    while let Some(letter) = letters.next() {
        address |= letter == '.' && letters.peek().is_some_and(|next| next.is_alphanumeric());
    }
    !text.is_empty() && text.chars().count() <= LONGEST_NAME && !address
}

fn one_line(text: &str, longest: usize) -> String {
    // Marks that turn the direction of writing could make an address read as another.
    let turns =
        |character: char| matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let line: String = text
        .chars()
        .filter(|character| !turns(*character))
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(longest)
        .collect();
    line.trim().to_owned()
}

/// The text as people read it: a link is what it is called, and its address below.
fn told(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    for line in text.trim().lines() {
        match html::link(line) {
            Some((label, address)) if label == address => told.push_str(address),
            Some((label, address)) => {
                let _ = write!(told, "{label}:\n{address}");
            }
            // What should be a link and is none is only text.
            None => told.push_str(line.trim_start_matches(LINK)),
        }
        told.push('\n');
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_no_name_but_a_message_is_not_greeted_by_it() {
        for name in ["An Nguyễn", "J. R. R. Tolkien", "O'Brien-Smith Jr.", "Анна", "王 小明"]
        {
            assert!(is_a_name(name), "{name}");
        }
        for message in
            ["", "win at evil.example", "https://evil", "evil/now", "a@evil", &"win ".repeat(40)]
        {
            assert!(!is_a_name(message), "{message}");
        }
    }
}
