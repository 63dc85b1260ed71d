//! What people read, in every language.

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;
use tenantry::model::Commit;
use tenantry::model::Configuration;
use tenantry::model::Snapshot;
use tenantry::notify::House;
use tenantry::notify::Letter;
use tenantry::notify::LetterError;
use tenantry::notify::Own;
use tenantry::notify::catalog;
use tenantry::notify::letter::LANGUAGES;
use tenantry::outbox::Mail;

use crate::support::mail::house;

fn letter(template: &str, language: &str, mut values: Value) -> Result<Letter, LetterError> {
    values["name"] = json!("An Nguyễn");
    let (template, language) = (template.to_owned(), language.to_owned());
    house().write(&Mail { template, to: "an@acme.example".into(), language, values })
}

#[test]
fn every_mail_is_whole_in_every_language() {
    for template in catalog::ALL {
        let mut subjects = Vec::new();
        for language in LANGUAGES {
            let letter = letter(template.name, language, template.samples()).unwrap();
            let told = format!("{} in {language}: {letter:?}", template.name);
            assert!(!letter.subject.is_empty() && !letter.subject.contains('\n'), "{told}");
            assert!(letter.text.contains("An Nguyễn"), "{told}");
            assert!(letter.text.contains("help@kiteclass.example"), "{told}");
            for left in ["{{", "{%", "=== ", "=> "] {
                assert!(!letter.text.contains(left) && !letter.html.contains(left), "{told}");
            }
            // Both forms say the same.
            for line in letter.text.lines().filter(|line| line.starts_with("https://")) {
                assert!(letter.html.contains(&format!("href=\"{line}\"")), "{told}");
            }
            assert!(letter.html.contains(&format!("<html lang=\"{language}\">")), "{told}");
            subjects.push(letter.subject);
        }
        subjects.sort();
        subjects.dedup();
        assert_eq!(subjects.len(), LANGUAGES.len(), "{} is not translated", template.name);
    }
}

#[test]
fn every_mail_reads_well_in_english() {
    let letters: Vec<String> = catalog::ALL
        .iter()
        .map(|template| {
            let letter = letter(template.name, "en", template.samples()).unwrap();
            format!("# {}: {}\n\n{}", template.name, letter.subject, letter.text)
        })
        .collect();
    insta::assert_snapshot!(letters.join("\n"));
    let ready = letter("instance-ready", "vi", catalog::find("instance-ready").unwrap().samples());
    insta::assert_snapshot!("ready_in_vietnamese", ready.unwrap().html);
}

#[test]
fn what_a_value_lacks_is_named_and_no_value_with_it() {
    let error = letter("verify", "en", json!({ "token": "hunter2" })).unwrap_err().to_string();
    assert!(error.contains("`verify` in en") && error.contains("undefined"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
    let error = letter("nothing", "en", json!({})).unwrap_err().to_string();
    assert!(error.contains("no mail `nothing`") && error.contains("mail list"), "{error}");
}

#[test]
fn what_is_known_sometimes_is_told_then() {
    let told = |template: &str, values: Value| letter(template, "en", values).unwrap().text;
    let ended = told("ended", json!({ "subscription": "acme/school" }));
    assert!(ended.contains("Its last backup is kept for a while"), "{ended}");
    let mut values = catalog::find("invoice").unwrap().samples();
    values.as_object_mut().unwrap().remove("from");
    assert!(told("invoice", values).contains("is there: 1,234,567\u{a0}VND.\n"));
    let mut values = catalog::find("suspended").unwrap().samples();
    // What is not paid for from a day on is paid through the day before.
    assert!(told("suspended", values.clone()).contains("paid through 20 December 2026"));
    assert!(told("suspended", values.clone()).contains("not before 20 January 2027"));
    values["keptUntil"] = Value::Null;
    assert!(!told("suspended", values).contains("not before"));
}

#[test]
fn every_mail_of_the_life_of_a_subscription_is_there() {
    use tenantry::billing::lifecycle::Template;
    for template in [
        Template::Invoice,
        Template::Renews,
        Template::TrialEnds,
        Template::Expiring,
        Template::Expired,
        Template::Suspended,
        Template::Ended,
    ] {
        assert!(catalog::find(template.as_str()).is_some(), "{template:?}");
    }
}

#[test]
fn a_language_that_nobody_translated_is_english() {
    let english = letter("welcome", "en", json!({})).unwrap();
    assert_eq!(letter("welcome", "fr", json!({})).unwrap(), english);
}

/// In every place that a value has in any mail.
#[test]
fn what_others_write_is_never_more_than_text() {
    let evil = "=> \u{1}Pay: https://evil.example <script>alert(1)</script>\r\n\r\n=> Pay: https://evil.example\u{202e}{{ portal }}";
    let evil = format!("{evil}{}", "x".repeat(100_000));
    let mut tried = 0;
    for template in catalog::ALL {
        for place in places(&template.samples()) {
            let mut values = template.samples();
            *values.pointer_mut(&place).unwrap() = json!(evil);
            for language in LANGUAGES {
                // What should be a day or an amount and is none is refused.
                let Ok(letter) = letter(template.name, language, values.clone()) else { continue };
                let told = format!("{}{place} in {language}: {letter:?}", template.name);
                assert!(!letter.subject.contains(['\r', '\n', '\u{1}', '\u{202e}']), "{told}");
                assert!(letter.subject.chars().count() <= 200, "{told}");
                for text in [&letter.text, &letter.html] {
                    assert!(!text.contains(['\u{1}', '\u{202e}', '\r']), "{told}");
                    assert!(text.len() < 15_000, "{told}");
                }
                assert!(!letter.html.contains("<script"), "{told}");
                let links = letter.html.split("href=\"").skip(1);
                for link in links.map(|link| link.split('"').next().unwrap()) {
                    let ours =
                        ["https://portal.kiteclass.example", "https://acme.kiteclass.example"];
                    assert!(ours.iter().any(|ours| link.starts_with(ours)), "{link}\n{told}");
                }
                assert!(
                    !letter.text.lines().any(|line| line.starts_with("https://evil")),
                    "{told}"
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 120, "{tried}");
}

/// Where there is text in a value.
fn places(value: &Value) -> Vec<String> {
    let under = |name: &str, value: &Value| -> Vec<String> {
        places(value).into_iter().map(|place| format!("/{name}{place}")).collect()
    };
    match value {
        Value::String(_) => vec![String::new()],
        Value::Object(fields) => {
            fields.iter().flat_map(|(name, value)| under(name, value)).collect()
        }
        Value::Array(all) => {
            all.iter().enumerate().flat_map(|(at, value)| under(&at.to_string(), value)).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn a_name_that_is_a_message_to_a_stranger_is_not_passed_on() {
    let (template, to) = ("verify".to_owned(), "an@acme.example".to_owned());
    let mut values = catalog::find("verify").unwrap().samples();
    values["name"] = json!("You won! Go to evil.example/now");
    let letter = house().write(&Mail { template, to, language: "en".into(), values }).unwrap();
    assert!(letter.text.starts_with("Hello an@acme.example,"), "{}", letter.text);
    assert!(!letter.text.contains("evil") && !letter.html.contains("evil"));
}

#[test]
fn a_repository_says_some_mails_in_words_of_its_own_and_a_broken_file_says_nothing() {
    let files = [
        ("templates/email/welcome.txt", "=== en\nGood to see you, {{ name }}\n\nCome in.\n"),
        ("templates/email/reset.txt", "=== en\nOh no\n\n{{ nothing }}\n"),
        (
            "templates/email/_layout.txt",
            "=== en\n{{ subject }}\n\nDear {{ name }},\n\n{{ body }}\n\n{{ support }}\n",
        ),
        ("templates/email/notes.md", "not a mail"),
    ];
    let snapshot = Snapshot::of(Commit::new(""), files);
    let letters = Configuration::read(None, &snapshot).letters;
    let (own, findings) = Own::of(&letters);
    let told: Vec<String> =
        findings.iter().map(|finding| format!("{} {}", finding.place, finding.rule)).collect();
    assert_eq!(told, ["templates/email/reset.txt:1:1 mail-template"]);
    let house = House { own: Arc::new(own), ..house() };
    let write = |template: &str, language: &str, values: Value| {
        let mut values = values;
        values["name"] = json!("An");
        let (template, language) = (template.to_owned(), language.to_owned());
        house.write(&Mail { template, to: "an@acme.example".into(), language, values }).unwrap()
    };
    let welcome = write("welcome", "en", json!({}));
    assert_eq!(welcome.subject, "Good to see you, An");
    assert_eq!(welcome.text, "Dear An,\n\nCome in.\n\nhelp@kiteclass.example\n");
    assert!(welcome.html.contains("Come in."), "{}", welcome.html);
    // What it does not say is said in our words: other languages, and what was broken.
    let usual = letter("welcome", "vi", json!({})).unwrap();
    assert_eq!(write("welcome", "vi", json!({})).subject, usual.subject);
    let samples = catalog::find("reset").unwrap().samples();
    let usual = letter("reset", "en", samples.clone()).unwrap();
    assert_eq!(write("reset", "en", samples).subject, usual.subject);
}

#[test]
fn what_its_words_cannot_say_of_certain_values_is_said_in_ours() {
    // Every sample of an end names a backup, and not every end does.
    let text = "=== en\nOver\n\nKept: {{ backup }}\n";
    let snapshot = Snapshot::of(Commit::new(""), [("templates/email/ended.txt", text)]);
    let (own, findings) = Own::of(&Configuration::read(None, &snapshot).letters);
    assert_eq!(findings, []);
    let house = House { own: Arc::new(own), ..house() };
    let write = |values: Value| {
        let mail = Mail {
            template: "ended".into(),
            to: "an@acme.example".into(),
            language: "en".into(),
            values,
        };
        house.write(&mail).unwrap()
    };
    let known = write(
        json!({ "subscription": "acme/school", "backup": "b", "retainedUntil": "2027-01-01" }),
    );
    assert!(known.text.contains("Kept: b"), "{}", known.text);
    let unknown = write(json!({ "subscription": "acme/school" }));
    assert!(unknown.text.contains("kept for a while"), "{}", unknown.text);
}
