//! Mails in the words of a repository: each file of `templates/email/` replaces the sections that it
//! has of the built-in file of its name. One in which anything is wrong replaces nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::House;
use super::catalog;
use super::letter::LANGUAGES;
use super::letter::LetterError;
use super::letter::sections;
use crate::model::Finding;
use crate::model::Place;
use crate::model::configuration::LETTERS;
use crate::model::snapshot::File;
use crate::model::typed::suggestion;
use crate::outbox::Mail;

/// The largest file of texts, in bytes.
const LONGEST: usize = 32 << 10;
/// What surrounds every letter, as a name of a file.
const LAYOUT: &str = "_layout";
const RULE: &str = "mail-template";

/// The texts of a repository that replace ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// By name and language, without the line that names the language.
    sections: BTreeMap<(String, &'static str), Arc<str>>,
}

impl Own {
    /// The texts of these files that can be used, and what is wrong with the others.
    pub fn of(files: &BTreeMap<Arc<str>, File>) -> (Self, Vec<Finding>) {
        let (mut own, mut findings) = (Self::default(), Vec::new());
        for file in files.values() {
            match read(file) {
                Ok(sections) => own.sections.extend(sections),
                Err(finding) => findings.push(finding),
            }
        }
        (own, findings)
    }

    /// What replaces the section of a mail in a language, where something does.
    pub(super) fn section(&self, name: &str, language: &'static str) -> Option<&str> {
        // One mail is written at a time: a copy of its name is nothing.
        self.sections.get(&(name.to_owned(), language)).map(|text| &**text)
    }

    /// What replaces the layout in a language.
    pub(super) fn layout(&self, language: &'static str) -> Option<&str> {
        self.section(LAYOUT, language)
    }
}

type Sections = BTreeMap<(String, &'static str), Arc<str>>;

/// Reads a file, and tries it with made-up values.
fn read(file: &File) -> Result<Sections, Finding> {
    let at = |line: usize| Place {
        file: Arc::clone(&file.path),
        line: u32::try_from(line).unwrap_or(0),
        column: u32::from(line > 0),
    };
    let wrong = |line: usize, message: String, help: String| {
        Err(Finding::error(RULE, at(line), message).help(help))
    };
    let name = file.path.strip_prefix(LETTERS).and_then(|name| name.strip_suffix(".txt"));
    let name = name.unwrap_or_default();
    if name != LAYOUT && catalog::find(name).is_none() {
        let names: Vec<&str> = catalog::ALL.iter().map(|template| template.name).collect();
        return wrong(0, format!("there is no mail `{name}`"), suggestion(name, &names));
    }
    if let Some(unread) = &file.unread {
        return wrong(0, unread.message.clone(), unread.help.to_owned());
    }
    if file.content.len() > LONGEST {
        let message = format!("the file has {} bytes; the most is {LONGEST}", file.content.len());
        return wrong(0, message, "write less".to_owned());
    }
    let Ok(text) = std::str::from_utf8(&file.content) else {
        return wrong(0, "the file is not UTF-8".to_owned(), "save it as UTF-8".to_owned());
    };
    let begins = format!("begin it with `=== en`, or another of {}", LANGUAGES.join(", "));
    let Some(parts) = sections(text) else {
        return wrong(0, "the file has no section of a language".to_owned(), begins);
    };
    let mut found = Sections::new();
    for (line, language, section) in parts {
        let Some(known) = LANGUAGES.into_iter().find(|known| *known == language) else {
            return wrong(line, format!("nobody is written to in `{language}`"), begins);
        };
        if name == LAYOUT && !section.contains("body") {
            let why = "a layout has `{{ body }}` in it, and this one has not".to_owned();
            return wrong(line, why, "add it where the text of each mail goes".to_owned());
        }
        if found.insert((name.to_owned(), known), section.into()).is_some() {
            let help = "join the two".to_owned();
            return wrong(line, format!("the section `{language}` stands here twice"), help);
        }
        let one = Own { sections: found.clone() };
        if let Err(why) = try_out(name, known, one) {
            let help = "correct it: `tenantry mail preview NAME` shows the one that is built in";
            return wrong(line, why, help.to_owned());
        }
    }
    Ok(found)
}

/// Writes the mail with made-up values; a layout, around a mail that is built in.
fn try_out(name: &str, language: &'static str, own: Own) -> Result<(), String> {
    let template = catalog::find(if name == LAYOUT { "welcome" } else { name });
    let template = template.ok_or_else(|| format!("there is no mail `{name}`"))?;
    let house = House {
        platform: "platform.example".to_owned(),
        portal: "https://portal.example".to_owned(),
        support: "help@platform.example".to_owned(),
        zone: TimeZone::UTC,
        own: Arc::new(own),
    };
    let mut values = template.samples();
    values["name"] = "An Nguyen".into();
    let mail = Mail {
        template: template.name.to_owned(),
        to: "an@acme.example".to_owned(),
        language: language.to_owned(),
        values,
    };
    let letter = house.in_own_words(&mail).map_err(|error| match error {
        LetterError::Template { why, .. } => why,
        unknown @ LetterError::Unknown(_) => unknown.to_string(),
    })?;
    if letter.subject.is_empty() {
        return Err("the first line of a section is its subject, and this one is empty".to_owned());
    }
    // Whoever gets it could not do what it is about.
    let link = mail.values["token"].as_str();
    if link.is_some_and(|token| !letter.text.contains(token)) {
        return Err(
            "this mail brings a link with `{{ token }}` in it, and it is missing".to_owned()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &[u8]) -> Vec<(u32, String)> {
        let path: Arc<str> = format!("{LETTERS}{path}").into();
        let file = File::new(Arc::clone(&path), text.into());
        let (own, findings) = Own::of(&[(path, file)].into());
        assert_eq!(findings.is_empty(), !own.sections.is_empty(), "{findings:?}");
        findings.into_iter().map(|finding| (finding.place.line, finding.message)).collect()
    }

    #[test]
    fn what_cannot_be_written_is_told_with_its_line() {
        let good = "=== en\nWelcome\n\nHello.\n=== vi\nXin chào\n\nChào.\n";
        assert_eq!(findings("welcome.txt", good.as_bytes()), []);
        for (path, text, line, told) in [
            ("welcom.txt", "=== en\nA\n\nB\n", 0, "there is no mail `welcom`"),
            ("welcome.txt", "Welcome\n", 0, "the file has no section of a language"),
            ("welcome.txt", "=== en\nA\n\nB\n=== de\nA\n\nB\n", 5, "nobody is written to in `de`"),
            (
                "welcome.txt",
                "=== en\nA\n\nB\n=== en\nA\n\nB\n",
                5,
                "the section `en` stands here twice",
            ),
            ("welcome.txt", "=== en\n\n\nB\n", 1, "the first line of a section is its subject"),
            ("welcome.txt", "=== en\nA\n\n{{ secret }}\n", 1, "undefined"),
            ("welcome.txt", "=== en\nA\n\n{% if x %}\n", 1, "unexpected end of input"),
            ("welcome.txt", "=== en\nA\n\n{% include '/etc/passwd' %}\n", 1, ""),
            (
                "welcome.txt",
                "=== en\nA\n\n{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}\n",
                1,
                "",
            ),
            ("reset.txt", "=== en\nA\n\nCome back.\n", 1, "brings a link"),
            (
                "_layout.txt",
                "=== en\n{{ subject }}\n\nHello\n",
                1,
                "a layout has `{{ body }}` in it",
            ),
        ] {
            let found = findings(path, text.as_bytes());
            assert_eq!(found.len(), 1, "{path} {text}: {found:?}");
            assert_eq!(found[0].0, line, "{path} {text}: {found:?}");
            assert!(found[0].1.contains(told), "{path} {text}: {found:?}");
        }
        assert_eq!(findings("welcome.txt", b"=== en\n\xff\n")[0].1, "the file is not UTF-8");
        let long = vec![b'a'; LONGEST + 1];
        assert!(findings("welcome.txt", &long)[0].1.contains("the most is"));
    }
}
