//! A step of the demo as it is told: a heading with its time and aligned rows for people, one line
//! of JSON for machines.
#![expect(clippy::needless_pass_by_value, reason = "texts are made where they are told")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use anstyle::AnsiColor;
use anstyle::Style;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::cli::Failure;
use crate::cli::Output;
use crate::model::Commit;
use crate::model::ResourceId;

/// Where the time of a step ends.
const WIDTH: usize = 88;
const BETWEEN_COLUMNS: usize = 2;

/// A piece of a row.
pub(super) struct Cell {
    text: String,
    style: Style,
}

pub(super) fn plain(text: impl ToString) -> Cell {
    Cell { text: text.to_string(), style: Style::new() }
}

/// What is as it should be.
pub(super) fn good(text: impl ToString) -> Cell {
    coloured(&text, AnsiColor::Green)
}

/// What waits for somebody.
pub(super) fn warning(text: impl ToString) -> Cell {
    coloured(&text, AnsiColor::Yellow)
}

pub(super) fn dim(text: impl ToString) -> Cell {
    Cell { text: text.to_string(), style: Style::new().dimmed() }
}

fn coloured(text: &impl ToString, colour: AnsiColor) -> Cell {
    Cell { text: text.to_string(), style: Style::new().fg_color(Some(colour.into())) }
}

/// Something that was played, and what came of it.
pub(super) struct Step {
    name: &'static str,
    title: String,
    commit: Option<Commit>,
    took: Option<Duration>,
    rows: Vec<Vec<Cell>>,
    facts: Map<String, Value>,
}

impl Step {
    /// `name` is for machines and stays; `title` is for people.
    pub(super) fn new(name: &'static str, title: impl Into<String>) -> Self {
        let (rows, facts) = (Vec::new(), Map::new());
        Self { name, title: title.into(), commit: None, took: None, rows, facts }
    }

    #[must_use]
    pub(super) fn took(mut self, took: Duration) -> Self {
        self.took = Some(took);
        self
    }

    #[must_use]
    pub(super) fn by(mut self, commit: &Commit) -> Self {
        self.commit = Some(commit.clone());
        self
    }

    /// Adds a row for people.
    #[must_use]
    pub(super) fn row(mut self, cells: impl IntoIterator<Item = Cell>) -> Self {
        self.rows.push(cells.into_iter().collect());
        self
    }

    /// Adds a fact for machines.
    #[must_use]
    pub(super) fn fact(mut self, name: &str, value: Value) -> Self {
        self.facts.insert(name.to_owned(), value);
        self
    }

    pub(super) fn tell(&self, output: &Output) -> Result<(), Failure> {
        if output.is_json() {
            output.text(&serde_json::to_string(&self.json())?)
        } else {
            output.text(&self.text(output.colour()))
        }
    }

    fn json(&self) -> Value {
        let mut all = Map::new();
        all.insert("step".to_owned(), self.name.into());
        all.insert("title".to_owned(), self.title.clone().into());
        if let Some(took) = self.took {
            all.insert("tookMs".to_owned(), json!(milliseconds(took)));
        }
        if let Some(commit) = &self.commit {
            all.insert("commit".to_owned(), commit.as_str().into());
        }
        all.extend(self.facts.clone());
        Value::Object(all)
    }

    fn text(&self, colour: bool) -> String {
        let paint = |style: Style, text: &str| {
            if colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
        };
        let commit = self.commit.as_ref().map(|commit| format!("{}  ", commit.short()));
        let (commit, took) =
            (commit.unwrap_or_default(), self.took.map(duration).unwrap_or_default());
        let end = format!("{commit}{took:>7}");
        let room = WIDTH.saturating_sub(self.title.chars().count() + end.chars().count()).max(2);
        let mut text = format!("\n{}{:room$}", paint(Style::new().bold(), &self.title), "");
        let _ = writeln!(text, "{}{took:>7}", paint(Style::new().dimmed(), &commit));
        let widths = self.widths();
        for row in &self.rows {
            let mut line = " ".repeat(BETWEEN_COLUMNS);
            let mut column_starts = BETWEEN_COLUMNS;
            for (column, cell) in row.iter().enumerate() {
                if column + 1 == row.len() && column > 0 {
                    let lines = wrapped(&cell.text, WIDTH.saturating_sub(column_starts));
                    let lines: Vec<String> =
                        lines.iter().map(|line| paint(cell.style, line)).collect();
                    line.push_str(&lines.join(&format!("\n{:column_starts$}", "")));
                    break;
                }
                line.push_str(&paint(cell.style, &cell.text));
                let width = widths.get(column).copied().unwrap_or_default();
                let room = width.saturating_sub(cell.text.chars().count()) + BETWEEN_COLUMNS;
                line.extend(std::iter::repeat_n(' ', room));
                column_starts += width + BETWEEN_COLUMNS;
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// How wide each column is. The last cell of a row may be as long as it likes.
    fn widths(&self) -> Vec<usize> {
        let mut widths = Vec::new();
        for row in &self.rows {
            for (column, cell) in row.iter().enumerate().take(row.len().saturating_sub(1)) {
                widths.resize(widths.len().max(column + 1), 0);
                widths[column] = widths[column].max(cell.text.chars().count());
            }
        }
        widths
    }
}

/// Breaks a text between words, where it is longer than a line.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a line from the beginning");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.extend([" ", word]);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A time as a person reads it.
pub(super) fn duration(duration: Duration) -> String {
    match duration.as_millis() {
        0 => format!("{} µs", duration.as_micros()),
        milliseconds @ 1..1000 => format!("{milliseconds} ms"),
        milliseconds => format!("{}.{:02} s", milliseconds / 1000, milliseconds % 1000 / 10),
    }
}

/// `1 object`, `2 objects`.
pub(super) fn count(number: usize, of: &str) -> String {
    if number == 1 { format!("1 {of}") } else { format!("{number} {}", plural(of)) }
}

/// `Namespace, 5 NetworkPolicies`.
pub(super) fn tally<'a>(ids: impl IntoIterator<Item = &'a ResourceId>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for id in ids {
        *counts.entry(&id.kind).or_default() += 1;
    }
    let named = counts.into_iter().map(|(kind, number)| match number {
        1 => kind.to_owned(),
        number => format!("{number} {}", plural(kind)),
    });
    named.collect::<Vec<_>>().join(", ")
}

fn plural(of: &str) -> String {
    match of {
        _ if of.ends_with("ss") => format!("{of}es"),
        _ if of.ends_with("cy") => format!("{}ies", &of[..of.len() - 1]),
        _ => format!("{of}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_columns_and_the_time_at_the_end() {
        let step = Step::new("open", "Open ACME")
            .took(Duration::from_millis(1234))
            .by(&Commit::new(&"a".repeat(40)))
            .row([plain("Namespace"), dim("40 ms"), plain("Namespace")])
            .row([plain("Data"), dim("1.20 s"), plain("2 Jobs")]);
        let text = step.text(false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1].chars().count(), WIDTH);
        assert!(lines[1].starts_with("Open ACME  "), "{text}");
        assert!(lines[1].ends_with("aaaaaaa   1.23 s"), "{text}");
        assert_eq!(lines[2..], ["  Namespace  40 ms   Namespace", "  Data       1.20 s  2 Jobs"]);
    }

    #[test]
    fn a_long_row_goes_on_in_its_last_column() {
        let long = ["Namespace"; 9].join(", ");
        let text = Step::new("open", "Open").row([plain("made"), plain(&long)]).text(false);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(lines[3].starts_with("        Namespace"), "{text}");
    }

    #[test]
    fn kinds_are_counted_in_english() {
        let id = |kind: &str, name: &str| ResourceId::new("", kind, "", name);
        let ids = [id("Ingress", "a"), id("NetworkPolicy", "b"), id("NetworkPolicy", "c")];
        assert_eq!(tally(&ids), "Ingress, 2 NetworkPolicies");
        assert_eq!(count(2, "Ingress"), "2 Ingresses");
        assert_eq!(count(1, "object"), "1 object");
    }
}
