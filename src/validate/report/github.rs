//! For GitHub: workflow commands that put findings beside the lines of a pull request.

use crate::model::Finding;
use crate::model::Severity;

/// One command a line.
pub fn github(findings: &[Finding]) -> String {
    findings.iter().map(command).collect()
}

fn command(finding: &Finding) -> String {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let place = &finding.place;
    let line = match place.line {
        0 => String::new(),
        line => format!(",line={line},col={}", place.column.max(1)),
    };
    let help = finding.help.iter().map(|help| format!("\nhelp: {help}"));
    let related = finding
        .related
        .iter()
        .map(|(place, what)| format!("\n{}:{}: {what}", place.file, place.line));
    let message: String =
        [finding.message.clone()].into_iter().chain(help).chain(related).collect();
    format!(
        "::{level} file={}{line},title={}::{}\n",
        property(&place.file),
        property(finding.rule),
        data(&message)
    )
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
