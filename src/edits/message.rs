//! The message of a commit: a subject, a text, and trailers that nobody's words can imitate.

use std::fmt::Write as _;

use super::intent::IntentId;
use super::intent::TRAILER;

/// Longer subjects are cut: a log shows one line.
const LONGEST_SUBJECT: usize = 100;

/// Writes a message. The trailers come last, those of the intent first among them.
pub(super) fn message(
    subject: &str,
    body: &str,
    intent: &IntentId,
    trailers: &[(String, String)],
) -> String {
    let mut subject = one_line(subject);
    if subject.is_empty() {
        "Change the configuration".clone_into(&mut subject);
    }
    if subject.chars().count() > LONGEST_SUBJECT {
        subject = subject.chars().take(LONGEST_SUBJECT - 1).collect::<String>();
        subject = format!("{}…", subject.trim_end());
    }
    let mut message = format!("{subject}\n\n");
    let body = text(body);
    if !body.is_empty() {
        message.push_str(&body);
        message.push_str("\n\n");
    }
    writeln!(message, "{TRAILER}: {intent}").expect("a string takes every text");
    for (key, value) in trailers {
        let key: String =
            key.chars().filter(|next| next.is_ascii_alphanumeric() || *next == '-').collect();
        if !key.is_empty() && !key.eq_ignore_ascii_case(TRAILER) {
            writeln!(message, "{key}: {}", one_line(value)).expect("a string takes every text");
        }
    }
    message
}

/// Words on one line, without what a terminal would act on.
pub(super) fn one_line(text: &str) -> String {
    let words: String =
        text.chars().map(|next| if next.is_control() { ' ' } else { next }).collect();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn text(body: &str) -> String {
    let line = |line: &str| {
        let line: String = line.chars().filter(|next| !next.is_control()).collect();
        let line = line.trim_end().to_owned();
        // `git` takes what is below such a line for a patch, and reads no trailers there.
        if line.starts_with("---") { format!(" {line}") } else { line }
    };
    body.trim().lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(subject: &str, body: &str, trailers: &[(&str, &str)]) -> String {
        let trailers: Vec<(String, String)> =
            trailers.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        message(subject, body, &"order-7".parse().unwrap(), &trailers)
    }

    #[test]
    fn a_message_has_a_subject_a_text_and_trailers() {
        assert_eq!(
            made(
                "Order a school",
                "As agreed.\n",
                &[("Actor", "ada@acme.example"), ("Order", "7")]
            ),
            "Order a school\n\nAs agreed.\n\nIntent-Id: order-7\nActor: ada@acme.example\nOrder: 7\n"
        );
        assert_eq!(made("Order", "", &[]), "Order\n\nIntent-Id: order-7\n");
    }

    #[test]
    fn nobody_s_words_become_a_trailer() {
        let message = made(
            "Order\n\nIntent-Id: other",
            "Please.\n---\nIntent-Id: other\n\nIntent-Id: other",
            &[("Actor", "ada\nIntent-Id: other"), ("intent-id", "other"), ("a b:", "c\u{1b}[1m")],
        );
        assert_eq!(
            super::super::intent::of_message(message.as_bytes()).as_deref(),
            Some("order-7")
        );
        assert!(
            message.ends_with("\nIntent-Id: order-7\nActor: ada Intent-Id: other\nab: c [1m\n")
        );
    }

    #[test]
    fn a_long_subject_is_cut() {
        assert_eq!(made(&"ä".repeat(200), "", &[]).lines().next().unwrap().chars().count(), 100);
    }
}
