//! `history`: what happened?

use jiff::Timestamp;

use crate::history::Asked;
use crate::history::told::Event;
use crate::model::UnitName;
use crate::postgres;

use super::Exit;
use super::Failure;
use super::Output;
use super::past;

/// Tell what happened, the newest first
///
/// Without a tenant it tells of everybody; with one it tells the timeline of its stages, too.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry history
  tenantry history acme --since 24h
  tenantry history --since 2026-11-01 --limit 1000 -o json")]
pub(super) struct Arguments {
    /// Tell of this tenant, or of this host as in `host/kkt-1`
    unit: Option<UnitName>,
    /// Tell what happened since this time, or within so many hours or days
    #[arg(long, value_name = "TIME", value_parser = past::read_since)]
    since: Option<Timestamp>,
    /// Tell at most so many events
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    limit: u32,
    #[command(flatten)]
    database: postgres::Settings,
}

pub(super) async fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let store = past::open(&arguments.database).await?;
    if let Some(unit) = &arguments.unit {
        past::known(&store, unit).await?;
    }
    let asked =
        Asked { unit: arguments.unit.clone(), since: arguments.since, most: arguments.limit };
    let events = store.timeline(&asked).await?;
    output.result(&events, || text(&events, arguments.unit.is_none()))?;
    if events.is_empty() {
        output.note("nothing happened");
    }
    Ok(Exit::Fine)
}

fn text(events: &[Event], of_everybody: bool) -> String {
    let row = |event: &Event| {
        let mut row = vec![past::moment(event.at)];
        if of_everybody {
            row.push(event.unit().map(ToString::to_string).unwrap_or_default());
        }
        row.push(event.to_string());
        row
    };
    past::columns(&events.iter().map(row).collect::<Vec<_>>())
}
