//! `status`: where is everybody?

use jiff::Timestamp;
use serde::Serialize;

use crate::alerts;
use crate::alerts::Alert;
use crate::history::record::UnitState;
use crate::history::record::UnitStatus;
use crate::history::told::FindingSeen;
use crate::history::told::Overview;
use crate::history::told::lasting;
use crate::postgres;

use super::Exit;
use super::Failure;
use super::Output;
use super::output::Tone;
use super::past;

/// How many units that are not converged are told.
const MOST: u32 = 1_000;
/// How many findings are told.
const MOST_FINDINGS: usize = 20;

/// Show where everybody stands
///
/// Reads the history that `tenantry run` keeps: it answers while the daemon is away, too.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry status
  tenantry status --all
  tenantry status -o json | jq '.troubled[].unit'")]
pub(super) struct Arguments {
    /// Show those who are converged, too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    database: postgres::Settings,
}

pub(super) async fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let store = past::open(&arguments.database).await?;
    let mut overview = store.overview(MOST).await?;
    if arguments.all {
        overview.troubled = store.statuses(None, None, u32::MAX).await?;
    }
    let alerts = alerts::store::open(store.database().pool()).await?;
    let (now, told) = (Timestamp::now(), Told { overview, alerts });
    output.result(&told, || text(&told, output, now))?;
    Ok(Exit::Fine)
}

/// How everything stands, and what is wrong for longer than it may be.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    overview: Overview,
    alerts: Vec<Alert>,
}

fn text(told: &Told, output: &Output, now: Timestamp) -> String {
    let Told { overview, alerts } = told;
    let mut lines = Vec::new();
    lines.push(daemon(overview, output, now));
    if let Some(head) = &overview.head {
        let (id, subject) = (head.id.short(), &head.subject);
        let when = past::ago(head.seen_at, now);
        lines.push(match &head.refused_from {
            None => format!("commit {id}: {subject} ({}, {when})", head.author),
            Some(from) => {
                let refused = output.paint(Tone::Bad, "refused");
                format!("commit {id} is {refused}, because it does not come after {}: {subject} ({}, {when})", from.short(), head.author)
            }
        });
    }
    for reach in overview.reach.iter().filter(|reach| !reach.reachable) {
        let why = reach.why.as_deref().unwrap_or("it does not answer");
        let away = output.paint(Tone::Bad, "unreachable");
        lines.push(format!("{} {away} since {}: {why}", reach.name, past::moment(reach.since)));
    }
    for finding in overview.findings.iter().take(MOST_FINDINGS) {
        let tone = if finding.severity == "error" { Tone::Bad } else { Tone::Odd };
        let severity = output.paint(tone, &finding.severity);
        let FindingSeen { place, rule, message, .. } = finding;
        lines.push(format!("{severity}[{rule}] {place}: {message}"));
        if let Some(help) = &finding.help {
            lines.push(format!("  {help}"));
        }
    }
    match overview.findings.len().saturating_sub(MOST_FINDINGS) {
        0 => {}
        more => lines.push(format!("{more} more findings: `tenantry validate` shows them")),
    }
    for parked in &overview.parked {
        let count = parked.parked.ids.len();
        let title = match count {
            1 => "1 deletion is parked".to_owned(),
            count => format!("{count} deletions are parked"),
        };
        let title = output.paint(Tone::Odd, &title);
        lines.push(format!(
            "{title} since {}: {}",
            past::moment(parked.parked.since),
            parked.parked.reason
        ));
        lines.push(format!("  to approve them: tenantry approve {}", parked.parked.digest));
    }
    for alert in alerts {
        let kind = output.paint(Tone::Bad, alert.kind.word());
        let lasts = lasting(now.duration_since(alert.since));
        lines.push(format!("alert[{kind}] for {lasts}: {}", alert.what));
    }
    lines.push(String::new());
    if !overview.troubled.is_empty() {
        let rows: Vec<Vec<String>> =
            overview.troubled.iter().map(|status| row(status, now)).collect();
        for (line, status) in past::columns(&rows).lines().zip(&overview.troubled) {
            let state = status.state.to_string();
            let painted = output.paint(tone(status.state), &state);
            lines.push(line.replacen(&state, &painted, 1));
        }
        lines.push(String::new());
    }
    let counts: Vec<String> =
        overview.counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
    lines.push(if counts.is_empty() { "no tenants".into() } else { counts.join(", ") });
    lines.join("\n")
}

fn daemon(overview: &Overview, output: &Output, now: Timestamp) -> String {
    let alive = overview.daemons.iter().find(|daemon| daemon.is_alive(now));
    match (alive, overview.daemons.first()) {
        (Some(daemon), _) => {
            format!("tenantry {} runs since {}", daemon.version, past::moment(daemon.started_at))
        }
        (None, Some(daemon)) => {
            let last = daemon.stopped_at.unwrap_or(daemon.seen_at);
            let stopped = output.paint(Tone::Bad, "does not run");
            format!("tenantry {stopped}: it was last seen {}", past::ago(last, now))
        }
        (None, None) => "tenantry has never run with this history".into(),
    }
}

fn row(status: &UnitStatus, now: Timestamp) -> Vec<String> {
    let mut why = status.reason.clone().unwrap_or_default();
    if let Some(next) = status.next_try.filter(|next| *next > now) {
        why.extend(["; tried again in ", &lasting(next.duration_since(now))]);
    }
    vec![
        status.state.to_string(),
        status.unit.to_string(),
        lasting(now.duration_since(status.since)),
        status.commit.as_ref().map(|commit| commit.short().to_owned()).unwrap_or_default(),
        why,
    ]
}

fn tone(state: UnitState) -> Tone {
    match state {
        UnitState::Converged => Tone::Good,
        UnitState::Applying | UnitState::Waiting => Tone::Busy,
        UnitState::Degraded | UnitState::Held => Tone::Bad,
        UnitState::Parked | UnitState::Retired => Tone::Odd,
    }
}
