//! The history that `status`, `history` and `explain` read, and how they write times.

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::Unit;
use jiff::tz::TimeZone;

use crate::history::Store;
use crate::history::told::lasting;
use crate::model::UnitName;
use crate::model::typed::nearest;
use crate::postgres;
use crate::postgres::Database;

use super::Failure;

/// Opens the history to read it. It changes nothing there.
pub(super) async fn open(settings: &postgres::Settings) -> Result<Store, Failure> {
    Ok(Store::over(Database::connect(settings.clone()).await?))
}

/// Refuses a unit that nothing is known of.
pub(super) async fn known(store: &Store, unit: &UnitName) -> Result<(), Failure> {
    let names = store.unit_names().await?;
    if names.contains(unit) {
        return Ok(());
    }
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let near = nearest(&unit.to_string(), names.iter().map(String::as_str));
    let failure = Failure::new(format!("the history knows no `{unit}`"));
    Err(match near {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None => failure.help("`tenantry history` tells what is known"),
    })
}

/// `2026-11-21 09:12:01`, as the clock on this machine's wall shows it.
pub(super) fn moment(time: Timestamp) -> String {
    let zone = TimeZone::system();
    let seconds = time.round(Unit::Second).unwrap_or(time);
    seconds.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `12 s ago`
pub(super) fn ago(time: Timestamp, now: Timestamp) -> String {
    format!("{} ago", lasting(now.duration_since(time)))
}

/// A time, past or not: `2026-11-21T09:00:00Z`.
pub(super) fn read_time(text: &str) -> Result<Timestamp, String> {
    let wrong = |_| format!("`{text}` is not a time: write it as in `2026-11-21T09:00:00Z`");
    text.parse().map_err(wrong)
}

/// A time that is past, as people write it: `2026-11-21T09:00:00Z`, `2026-11-21`, `24h` or `3d`.
pub(super) fn read_since(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    if let Ok(day) = text.parse::<jiff::civil::Date>() {
        let start = day.to_zoned(TimeZone::system());
        return start.map(|start| start.timestamp()).map_err(|error| error.to_string());
    }
    let wrong = || {
        format!(
            "`{text}` is not a time: write it as in `24h`, `3d`, `2026-11-21` or `2026-11-21T09:00:00Z`"
        )
    };
    let length: SignedDuration = match text.strip_suffix('d').and_then(|days| days.parse().ok()) {
        Some(days) => SignedDuration::from_hours(24_i64.saturating_mul(days)),
        None => text.parse().map_err(|_| wrong())?,
    };
    Timestamp::now().checked_sub(length.abs()).map_err(|_| wrong())
}

/// Lines of cells, each column as wide as it has to be.
pub(super) fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..count).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_past_time_may_be_written_in_several_ways() {
        let exact = read_since("2026-11-21T09:00:00Z").unwrap();
        assert_eq!(exact.to_string(), "2026-11-21T09:00:00Z");
        assert!(read_since("2026-11-21").is_ok());
        let hours_ago = |text: &str| {
            let since = read_since(text).unwrap();
            Timestamp::now().duration_since(since).as_hours()
        };
        assert_eq!((hours_ago("24h"), hours_ago("3d")), (24, 72));
        assert!(read_since("yesterday").unwrap_err().contains("write it as in"));
    }

    #[test]
    fn columns_are_as_wide_as_they_have_to_be() {
        let rows = [["acme", "ok"].map(str::to_owned).to_vec(), vec!["a".into(), "held".into()]];
        assert_eq!(columns(&rows), "acme  ok\na     held\n");
    }
}
