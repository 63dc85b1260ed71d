//! `cron`: a program that runs by the clock. It is no kind of its own: it becomes a service, a timer
//! for it, and their files.

use serde::Deserialize;

use super::catalog::HostResource;
use super::catalog::HostResourceId;
use super::kinds::Asked;
use super::kinds::File;
use super::kinds::Unit;
use super::kinds::Word;
use super::kinds::program;
use super::kinds::readable;
use super::kinds::root;
use super::words::Account;
use super::words::Line;
use crate::model::Name;
use crate::model::Secret;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Cron {
    /// What its units are called.
    name: Name,
    /// When it runs, as `OnCalendar` of systemd has it, such as `*-*-* 02:30:00`.
    schedule: Line,
    /// The program and what it is given, word by word; no shell reads it.
    #[serde(deserialize_with = "program")]
    run: Vec<Word>,
    #[serde(default = "root")]
    user: Account,
}

/// The resources of which it is made, each with what holds for all of them.
pub(super) fn resources(
    cron: &Cron,
    made: impl Fn(Asked, Vec<HostResourceId>) -> HostResource,
) -> Vec<HostResource> {
    let Cron { name, schedule, user, .. } = cron;
    let words: Vec<String> = cron.run.iter().map(|word| quoted(word.as_str())).collect();
    let service = format!(
        "[Unit]\nDescription={name}\n\n[Service]\nType=oneshot\nUser={user}\nExecStart={}\n",
        words.join(" ")
    );
    let timer = format!(
        "[Unit]\nDescription={name}, by the clock\n\n[Timer]\nOnCalendar={schedule}\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n"
    );
    let file = |ending: &str, text: String| {
        let path = format!("/etc/systemd/system/{name}.{ending}");
        Asked::File(File {
            path: path.parse().expect("the name of a document is one of a file"),
            content: Some(Secret::new(text)),
            template: None,
            owner: root(),
            group: root(),
            mode: readable(),
            sensitive: false,
        })
    };
    let service = made(file("service", service), Vec::new());
    let timer = made(file("timer", timer), Vec::new());
    let unit = Asked::Unit(Unit {
        name: format!("{name}.timer").parse().expect("the name of a document is one of a unit"),
        enabled: true,
        running: Some(true),
        restarts_with: Vec::new(),
        reloads_with: Vec::new(),
    });
    let unit = made(unit, vec![service.id.clone()]);
    vec![service, timer, unit]
}

/// A word of a command line, as a unit's file has it (systemd.service(5), "Command lines").
fn quoted(word: &str) -> String {
    let mut text = String::from("\"");
    for letter in word.chars() {
        match letter {
            '"' | '\\' => text.extend(['\\', letter]),
            '$' => text.push_str("$$"),
            '%' => text.push_str("%%"),
            other => text.push(other),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_command_line_are_data_to_systemd() {
        assert_eq!(quoted("it's \"100 %\" of $HOME\\"), r#""it's \"100 %%\" of $$HOME\\""#);
    }
}
