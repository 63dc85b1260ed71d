//! A preview as a person reads it: a legend, what happens to whom, what cannot be brought back,
//! and one line that sums it up.

use std::fmt;
use std::fmt::Write as _;

use anstyle::AnsiColor;
use anstyle::Style;
use serde_json::Value;

use crate::model::UnitName;

use super::diff::Difference;
use super::diff::FieldChange;
use super::diff::Line;
use super::group;
use super::group::Group;
use super::preview::Item;
use super::preview::Losses;
use super::preview::Mark;
use super::preview::Preview;
use super::preview::Totals;
use super::preview::UnitPreview;

/// Longer values are cut: whoever wants all of them renders the tenant.
const LONGEST_VALUE: usize = 160;
/// How many of many names are told.
const NAMES_TOLD: usize = 4;

/// Shows a preview as text, in colour where that is asked for.
pub fn text(preview: &Preview, colour: bool) -> String {
    let mut out = Text::new(colour);
    out.legend(preview);
    let groups = group::groups(preview);
    if groups.len() < preview.units.len() {
        let ways = match groups.len() {
            1 => "in the same way".into(),
            count => format!("in {count} ways"),
        };
        out.line(0, &format!("{} change {ways}\n", tenants(preview.units.len())));
    }
    for group in &groups {
        out.group(group);
    }
    for held in &preview.held {
        let name = out.bold(&held.unit);
        out.line(0, &format!("{name} keeps its last good state: {}\n", held.why));
    }
    out.losses(preview);
    let summary = out.bold(&summary(preview));
    out.line(0, &summary);
    out.out
}

/// `Plan: 2 to add, 1 to change, 0 to destroy`
pub fn summary(preview: &Preview) -> String {
    if preview.is_empty() {
        return "Plan: no changes".into();
    }
    let Totals { add, change, destroy, keep, release, aside, parked } = preview.totals;
    let mut summary = format!("Plan: {add} to add, {change} to change, {destroy} to destroy");
    let others =
        [(aside, "to set aside"), (keep, "to keep"), (release, "to release"), (parked, "parked")];
    for (count, what) in others {
        if count > 0 {
            let _ = write!(summary, ", {count} {what}");
        }
    }
    summary
}

/// `1 tenant`, `412 tenants`
fn tenants(count: usize) -> String {
    counted(count, "tenant")
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

impl Mark {
    const ALL: [Self; 7] = [
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Aside,
        Self::Release,
        Self::Keep,
        Self::Parked,
    ];

    /// The sign that stands before a change.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Update => "~",
            Self::Delete => "-",
            Self::Aside => "<",
            Self::Release => "^",
            Self::Keep => "=",
            Self::Parked => "!",
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "change",
            Self::Delete => "destroy",
            Self::Aside => {
                "set aside: nobody reaches it, a revert brings it back, and it is destroyed after its day"
            }
            Self::Release => "release: it stays, and is no longer ours",
            Self::Keep => "keep: nobody asks for it, and its policy is to stay",
            Self::Parked => "parked: its deletion waits for an approval",
        }
    }

    pub(super) fn style(self) -> Style {
        let colour = match self {
            Self::Create => AnsiColor::Green,
            Self::Update | Self::Aside => AnsiColor::Yellow,
            Self::Delete => AnsiColor::Red,
            Self::Release | Self::Keep => AnsiColor::Cyan,
            Self::Parked => AnsiColor::Magenta,
        };
        Style::new().fg_color(Some(colour.into()))
    }
}

/// A text as it grows.
pub(super) struct Text {
    pub(super) out: String,
    colour: bool,
}

impl Text {
    pub(super) fn new(colour: bool) -> Self {
        Self { out: String::new(), colour }
    }

    pub(super) fn line(&mut self, depth: usize, line: &str) {
        let _ = writeln!(self.out, "{:depth$}{line}", "", depth = 2 * depth);
    }

    pub(super) fn styled(&self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    pub(super) fn bold(&self, text: &dyn fmt::Display) -> String {
        self.styled(Style::new().bold(), &text.to_string())
    }

    pub(super) fn sign(&self, mark: Mark) -> String {
        self.styled(mark.style(), mark.sign())
    }

    /// Explains the signs that occur.
    fn legend(&mut self, preview: &Preview) {
        let items = || preview.units.iter().flat_map(|unit| &unit.items);
        let used = Mark::ALL.into_iter().filter(|mark| items().any(|item| item.action == *mark));
        for mark in used {
            let sign = self.sign(mark);
            self.line(1, &format!("{sign} {}", mark.meaning()));
        }
        if !preview.is_empty() {
            self.out.push('\n');
        }
    }

    fn group(&mut self, group: &Group<'_>) {
        let title = match group.units.as_slice() {
            [_, others @ ..] if !others.is_empty() => {
                let title = self.bold(&tenants(group.units.len()));
                format!("{title}: {}; shown for {}", names(&group.units), group.example.unit)
            }
            _ => self.bold(&group.example.unit),
        };
        self.line(0, &title);
        self.unit(group.example);
        self.out.push('\n');
    }

    fn unit(&mut self, unit: &UnitPreview) {
        for item in &unit.items {
            self.item(item);
        }
        for blocked in &unit.blocked {
            self.line(1, &format!("? {}: {}", blocked.resource, blocked.why));
        }
    }

    fn item(&mut self, item: &Item) {
        let mut line = format!("{} {}", self.sign(item.action), item.resource);
        if item.takes_along > 0 {
            let _ = write!(line, " and the {} in it", counted(item.takes_along, "object"));
        }
        if let Some(why) = &item.why {
            let _ = write!(line, " ({why})");
        }
        self.line(1, &line);
        for difference in &item.differences {
            self.difference(difference);
        }
        if item.action == Mark::Update && item.differences.is_empty() && item.why.is_none() {
            self.line(3, "only the order of its fields differs");
        }
    }

    fn difference(&mut self, difference: &Difference) {
        let path = &difference.path;
        let (mark, told) = match &difference.change {
            FieldChange::Added { to } => (Mark::Create, value(to)),
            FieldChange::Removed { from } => (Mark::Delete, value(from)),
            FieldChange::Changed { from, to } => {
                (Mark::Update, format!("{} -> {}", value(from), value(to)))
            }
            FieldChange::Hidden { what } => (Mark::Update, what.to_string()),
            FieldChange::Text { .. } => (Mark::Update, String::new()),
        };
        let line = format!("{} {path}: {told}", self.sign(mark));
        self.line(3, line.trim_end());
        if let FieldChange::Text { lines } = &difference.change {
            for line in lines {
                self.text_line(line);
            }
        }
    }

    pub(super) fn text_line(&mut self, line: &Line) {
        let shown = match line {
            Line::Both(line) => format!("  {}", cut(line)),
            Line::From(line) => self.styled(Mark::Delete.style(), &format!("- {}", cut(line))),
            Line::To(line) => self.styled(Mark::Create.style(), &format!("+ {}", cut(line))),
            Line::Gap => "  ...".into(),
        };
        self.line(5, shown.trim_end());
    }

    /// Says what would be gone, and what cannot come back.
    fn losses(&mut self, preview: &Preview) {
        let Losses { tenants, subscriptions, namespaces, data, objects, irrevocable } =
            &preview.losses;
        if let Some(reason) = &preview.parked_because {
            let warning = self.styled(Mark::Parked.style(), "Deletions are parked");
            self.line(0, &format!("{warning}: {reason}"));
            if let Some(digest) = &preview.approval {
                self.line(1, &format!("to approve them: tenantry approve {digest}"));
            }
            self.out.push('\n');
        }
        let whole: Vec<String> =
            [(*tenants, "tenant"), (*subscriptions, "subscription"), (*namespaces, "namespace")]
                .into_iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, what)| counted(count, what))
                .collect();
        if !whole.is_empty() {
            let objects = counted(*objects, "object");
            self.line(0, &format!("What would be gone: {}, {objects} in all\n", whole.join(", ")));
        }
        if *data > 0 {
            let title = self.styled(Mark::Delete.style(), "No revert would bring back");
            self.line(0, &format!("{title} what is in:"));
            for id in irrevocable.iter().take(20) {
                self.line(1, &id.to_string());
            }
            if *data > 20 {
                self.line(1, &format!("and {} more", data - 20));
            }
            self.out.push('\n');
        }
    }
}

/// `acme, beta, gamma and 409 more`
fn names(units: &[&UnitName]) -> String {
    let told: Vec<String> = units.iter().take(NAMES_TOLD).map(ToString::to_string).collect();
    match units.len().saturating_sub(NAMES_TOLD) {
        0 => told.join(", "),
        more => format!("{} and {more} more", told.join(", ")),
    }
}

fn value(value: &Value) -> String {
    cut(&value.to_string())
}

pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
