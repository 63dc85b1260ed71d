//! For code scanners: SARIF 2.1.0, with a description of every rule.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;
use serde_json::json;

use super::super::rules::descriptions;
use crate::model::Finding;
use crate::model::Place;
use crate::model::Severity;

/// One SARIF log with one run.
pub fn sarif(findings: &[Finding]) -> String {
    let mut rules: Vec<(&str, Option<&str>)> =
        descriptions().map(|(id, about)| (id, Some(about))).collect();
    let mut positions: BTreeMap<&str, usize> =
        rules.iter().enumerate().map(|(position, (id, _))| (*id, position)).collect();
    for finding in findings {
        positions.entry(finding.rule).or_insert_with(|| {
            rules.push((finding.rule, None));
            rules.len() - 1
        });
    }
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "tenantry",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|(id, about)| rule(id, *about)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": findings
                .iter()
                .map(|finding| result(finding, positions[finding.rule]))
                .collect::<Vec<_>>(),
        }],
    });
    format!("{log:#}")
}

fn rule(id: &str, about: Option<&str>) -> Value {
    match about {
        Some(about) => json!({ "id": id, "shortDescription": { "text": about } }),
        None => json!({ "id": id }),
    }
}

fn result(finding: &Finding, position: usize) -> Value {
    let text = match &finding.help {
        Some(help) => format!("{}: {help}", finding.message),
        None => finding.message.clone(),
    };
    let related: Vec<Value> = finding
        .related
        .iter()
        .enumerate()
        .map(|(id, (place, what))| {
            json!({
                "id": id,
                "message": { "text": what },
                "physicalLocation": location(place),
            })
        })
        .collect();
    json!({
        "ruleId": finding.rule,
        "ruleIndex": position,
        "level": match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "message": { "text": text },
        "locations": [{ "physicalLocation": location(&finding.place) }],
        "relatedLocations": related,
    })
}

fn location(place: &Place) -> Value {
    let artifact = json!({ "uri": uri(&place.file) });
    match place.line {
        0 => json!({ "artifactLocation": artifact }),
        line => json!({
            "artifactLocation": artifact,
            "region": { "startLine": line, "startColumn": place.column.max(1) },
        }),
    }
}

/// A path as a relative reference (RFC 3986).
fn uri(path: &str) -> String {
    path.bytes().fold(String::with_capacity(path.len()), |mut uri, byte| {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _written = write!(uri, "%{byte:02X}");
        }
        uri
    })
}
