//! Whatever people write, nothing panics and no tenant vanishes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tenantry::model::Commit;
use tenantry::model::Snapshot;
use tenantry::validate::check;
use tenantry::validate::report;

use super::repository::repository;
use super::repository::templates;
use crate::support::example;

/// A slip of the pen, or worse.
#[derive(Clone, Debug)]
enum Slip {
    /// Leaves a line out.
    Forget(usize),
    /// Writes a line twice.
    Repeat(usize),
    /// Ends the file here.
    Stop(usize),
    /// Writes something else for what follows the colon.
    Put(usize, String),
    /// Writes a character somewhere.
    Type(usize, char),
    /// Moves the line to the right.
    Indent(usize),
}

fn slip() -> impl Strategy<Value = Slip> {
    let word = prop_oneof![
        Just("acme".to_owned()),
        Just("\"\"".to_owned()),
        Just("-1".to_owned()),
        Just("[a, {b: c}]".to_owned()),
        Just("99999999999999999999Ei".to_owned()),
        Just("2026-02-30".to_owned()),
        Just("{subdomain}{tenant}{".to_owned()),
        Just("x".repeat(300)),
        "[ -~äß]{0,12}",
    ];
    let line = 0..30_usize;
    prop_oneof![
        line.clone().prop_map(Slip::Forget),
        line.clone().prop_map(Slip::Repeat),
        line.clone().prop_map(Slip::Stop),
        (line.clone(), word).prop_map(|(line, word)| Slip::Put(line, word)),
        (0..400_usize, prop_oneof![Just(':'), Just('"'), Just('-'), Just('\t'), any::<char>()])
            .prop_map(|(at, typed)| Slip::Type(at, typed)),
        line.prop_map(Slip::Indent),
    ]
}

fn slipped(text: &str, slip: &Slip) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = |line: usize| line % text.lines().count().max(1);
    match slip {
        _ if lines.is_empty() => {}
        Slip::Forget(line) => {
            lines.remove(at(*line));
        }
        Slip::Repeat(line) => lines.insert(at(*line), lines[at(*line)].clone()),
        Slip::Stop(line) => lines.truncate(at(*line).max(1)),
        Slip::Put(line, word) => {
            let line = &mut lines[at(*line)];
            if let Some((key, _)) = line.split_once(": ") {
                *line = format!("{key}: {word}");
            }
        }
        Slip::Type(place, typed) => {
            let mut text: Vec<char> = text.chars().collect();
            text.insert(place % text.len().max(1), *typed);
            return text.into_iter().collect();
        }
        Slip::Indent(line) => lines[at(*line)].insert_str(0, "  "),
    }
    lines.join("\n") + "\n"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_tenant_vanishes_by_a_slip_of_the_pen(
        slips in proptest::collection::vec((0..8_usize, slip()), 1..6)
    ) {
        let mut files: BTreeMap<String, String> = repository()
            .snapshot()
            .files
            .iter()
            .map(|(path, file)| {
                (path.to_string(), String::from_utf8(file.content.to_vec()).unwrap())
            })
            .collect();
        for (file, slip) in &slips {
            let text = files.values_mut().nth(*file).unwrap();
            *text = slipped(text, slip);
        }
        let snapshot = Snapshot::of(Commit::new("0"), &files);
        let checked = check(&example::configuration(&snapshot), &snapshot, &templates());
        for tenant in ["acme", "globex"] {
            let unit = tenant.parse().unwrap();
            let there = checked.valid.contains_key(&unit);
            let held = checked.held.contains_key(&unit);
            prop_assert!(there != held, "{tenant}: {:?}", checked.findings);
        }
        prop_assert!(checked.held.is_empty() || !checked.findings.is_empty());
        let said = report::plain(&checked.findings, &snapshot, true);
        prop_assert!(!said.is_empty());
        serde_json::from_str::<serde_json::Value>(&report::json(&checked.findings)).unwrap();
        serde_json::from_str::<serde_json::Value>(&report::sarif(&checked.findings)).unwrap();
        report::github(&checked.findings);
    }
}
