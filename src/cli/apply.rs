//! `apply`: once what the daemon does for ever.

use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::history::Recorder;
use crate::history::recorder;
use crate::history::told::lasting;
use crate::postgres;
use crate::postgres::Database;
use crate::reconcile::daemon::Daemon;
use crate::reconcile::daemon::Parts;
use crate::reconcile::daemon::VERIFY_EVERY;
use crate::reconcile::note::State;
use crate::reconcile::note::UnitStatus;
use crate::reconcile::overview::Overview;
use crate::reconcile::world::Clock;
use crate::source;
use crate::source::Head;
use crate::source::Source;
use crate::source::settings::Interval;

use super::Exit;
use super::Failure;
use super::Output;
use super::output::Tone;
use super::past;
use super::run::Clusters;

/// Bring every tenant to what a repository says, once
///
/// Does what the daemon does until everybody is converged or cannot be helped. Exits with 1 where
/// somebody is not converged. Where deletions are over the limit they are parked, here as well.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry apply --repository . --kubeconfig ~/.kube/config
  tenantry apply --repository https://git.example/tenants.git --branch trial --wait 2m")]
pub(super) struct Arguments {
    /// Give up after this time on whoever is not converged
    #[arg(long, value_name = "TIME", default_value = "10m")]
    wait: Interval,
    #[command(flatten)]
    source: source::Settings,
    #[command(flatten)]
    clusters: Clusters,
    #[command(flatten)]
    database: postgres::Settings,
    #[command(flatten)]
    history: recorder::Settings,
}

pub(super) async fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    // A person who applies a commit has chosen it: what the daemon took before is no concern here.
    let cache = tempfile::tempdir().context("there is no room for a copy of the repository")?;
    let source = Source::open(arguments.source.clone(), cache.path()).await?;
    if let Head::Taken(commit) = source.look().await? {
        // Where it cannot be read the daemon waits for another; here there is none to come.
        source.snapshot(&commit).await?;
    }
    let recorder = match &arguments.database.database_url {
        Some(_) => {
            Recorder::start(Database::start(arguments.database.clone())?, &arguments.history)
        }
        None => Recorder::to_nowhere(),
    };
    let parts = Parts {
        source,
        kubeconfigs: arguments.clusters.kubeconfigs()?,
        recorder,
        clock: Clock::system(),
        // `host apply` does it for hosts.
        hosts: None,
        verify_every: VERIFY_EVERY,
        // Nobody measures here.
        clusters: watch::Sender::default(),
        listener: None,
    };
    let daemon = Daemon::start(parts).await;
    let progress = output.progress("bringing everybody to what the commit says", None);
    settle(&daemon, arguments.wait.0).await;
    drop(progress);
    let overviews = daemon.overview();
    daemon.stop().await;
    let overview = overviews.borrow().clone();
    output.result(&*overview, || text(&overview, output, Timestamp::now()))?;
    let done = overview.away.is_empty() && overview.units.values().all(is_done);
    Ok(if done { Exit::Fine } else { Exit::Failed })
}

/// Waits until everybody is converged, or nobody can be helped any more, or time is over.
async fn settle(daemon: &Daemon, patience: Duration) {
    let deadline = Instant::now() + patience;
    while let Ok(statuses) = tokio::time::timeout_at(deadline, daemon.junction().settled()).await {
        let retried = statuses.iter().filter(|status| status.state == State::Failing);
        let Some(next) = retried.filter_map(|status| status.next_try).min() else { return };
        let pause = Duration::try_from(next.duration_since(Timestamp::now())).unwrap_or_default();
        let again = Instant::now() + pause.max(Duration::from_millis(100));
        if again > deadline {
            return;
        }
        tokio::time::sleep_until(again).await;
    }
}

fn is_done(status: &UnitStatus) -> bool {
    matches!(status.state, State::Converged | State::Retired)
}

fn text(overview: &Overview, output: &Output, now: Timestamp) -> String {
    let mut lines = Vec::new();
    for (what, (why, _)) in &overview.away {
        lines.push(format!("{what} {}: {why}", output.paint(Tone::Bad, "unreachable")));
    }
    for finding in overview.cluster_findings.values().flatten() {
        let (place, rule, message) = (&finding.place, finding.rule, &finding.message);
        lines.push(format!("{}[{rule}] {place}: {message}", output.paint(Tone::Odd, "finding")));
        lines.extend(finding.help.iter().map(|help| format!("  {help}")));
    }
    let others: Vec<&UnitStatus> =
        overview.units.values().filter(|status| !is_done(status)).collect();
    let row = |status: &&UnitStatus| {
        vec![
            status.state.word().to_owned(),
            status.unit.to_string(),
            lasting(now.duration_since(status.since)),
            status.reason.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<Vec<String>> = others.iter().map(row).collect();
    for (line, status) in past::columns(&rows).lines().zip(&others) {
        let state = status.state.word();
        lines.push(line.replacen(state, &output.paint(Tone::Bad, state), 1));
    }
    if let Some(parked) = &overview.parked {
        lines.push(format!("{} deletions are parked: {}", parked.ids.len(), parked.reason));
        lines.push(format!("  to approve them: tenantry approve {}", parked.digest));
    }
    let counts = &overview.counts;
    let states = overview.by_state().into_iter();
    let states: Vec<String> =
        states.map(|(state, count)| format!("{count} {}", state.word())).collect();
    lines.push(format!(
        "{}: {} created, {} changed, {} deleted",
        if states.is_empty() { "no tenants".to_owned() } else { states.join(", ") },
        counts.created,
        counts.changed,
        counts.deleted
    ));
    lines.join("\n")
}
