//! For programs: every finding as an object, and how many there are.

use serde::Serialize;

use crate::model::Finding;
use crate::model::Place;
use crate::model::Severity;

#[derive(Serialize)]
struct Report<'a> {
    errors: usize,
    warnings: usize,
    findings: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    #[serde(flatten)]
    place: &'a Place,
    severity: Severity,
    rule: &'a str,
    message: &'a str,
    help: Option<&'a str>,
    related: Vec<Related<'a>>,
}

#[derive(Serialize)]
struct Related<'a> {
    #[serde(flatten)]
    place: &'a Place,
    message: &'a str,
}

/// One JSON object with all findings.
pub fn json(findings: &[Finding]) -> String {
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let report = Report {
        errors: of(Severity::Error),
        warnings: of(Severity::Warning),
        findings: findings.iter().map(item).collect(),
    };
    serde_json::to_string_pretty(&report).expect("because texts and numbers always make JSON")
}

fn item(finding: &Finding) -> Item<'_> {
    Item {
        place: &finding.place,
        severity: finding.severity,
        rule: finding.rule,
        message: &finding.message,
        help: finding.help.as_deref(),
        related: finding
            .related
            .iter()
            .map(|(place, message)| Related { place, message })
            .collect(),
    }
}
