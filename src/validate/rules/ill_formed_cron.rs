//! Schedules are cron expressions of five fields.

use super::Rule;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule =
    Rule::whole("ill-formed-cron", "Schedules are cron expressions of five fields.", check);

fn check(world: &World<'_>, findings: &mut Findings) {
    for package in world.configuration.packages.values() {
        let Some(backup) = &package.spec.backup else { continue };
        if let Err(why) = read(&backup.schedule) {
            findings
                .error(package.at("spec.backup.schedule"), format!("`{}` {why}", backup.schedule))
                .help("write minute, hour, day, month and day of the week, such as `0 2 * * *`");
        }
    }
}

const FIELDS: &[(&str, u8, u8, &[&str])] = &[
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day", 1, 31, &[]),
    (
        "month",
        1,
        12,
        &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    ),
    ("day of the week", 0, 7, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

fn read(schedule: &str) -> Result<(), String> {
    let fields: Vec<&str> = schedule.split_ascii_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!("has {} fields, and a schedule has five", fields.len()));
    }
    for (field, (name, from, to, words)) in fields.iter().zip(FIELDS) {
        let fits = field.split(',').all(|part| fits(part, *from, *to, words));
        if !fits {
            return Err(format!("has `{field}` for the {name}"));
        }
    }
    Ok(())
}

/// `*`, `5`, `1-5`, each with a step such as `/2`; names where the field has them.
fn fits(part: &str, from: u8, to: u8, words: &[&str]) -> bool {
    let value = |text: &str| {
        let word = words.iter().position(|word| text.eq_ignore_ascii_case(word));
        match word {
            Some(index) => u8::try_from(index).ok().map(|index| index + from),
            None => text
                .bytes()
                .all(|byte| byte.is_ascii_digit())
                .then(|| text.parse().ok())
                .flatten()
                .filter(|number| (from..=to).contains(number)),
        }
    };
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (part, None),
    };
    let step_fits =
        step.is_none_or(|step| step.parse::<u8>().is_ok_and(|step| step > 0 && step <= to));
    let range_fits = match range.split_once('-') {
        Some((first, last)) => {
            matches!((value(first), value(last)), (Some(first), Some(last)) if first <= last)
        }
        None => range == "*" || value(range).is_some(),
    };
    step_fits && range_fits
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn schedules_are_told_from_other_texts() {
        for good in ["0 2 * * *", "*/15 0-6,22 1 jan-mar mon", "59 23 31 12 7", "5/10 * * * *"] {
            assert!(read(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "0 2 * *",
            "60 2 * * *",
            "0 2 0 * *",
            "0 2 * * 8",
            "a * * * *",
            "5-1 * * * *",
            "*/0 * * * *",
            "@daily",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
