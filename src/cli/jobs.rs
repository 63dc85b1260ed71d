//! `jobs`: what is done again and again without anybody asking.

use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::watch;

use crate::accounts::Accounts;
use crate::accounts::keys::KeySource;
use crate::api::idempotency;
use crate::jobs;
use crate::jobs::Job;
use crate::jobs::JobError;
use crate::jobs::MEASURES;
use crate::jobs::Report;
use crate::jobs::Runner;
use crate::jobs::Schedule;
use crate::jobs::Standing;
use crate::model::Configuration;
use crate::model::PortalUrl;
use crate::operations::follow::Taken;
use crate::operations::work::SystemClock;
use crate::payments;
use crate::payments::Payments;
use crate::postgres;
use crate::postgres::Database;
use crate::reconcile::meter::ClusterMeter;
use crate::source;
use crate::source::Head;
use crate::source::Source;
use crate::usage::Meter;

use super::Exit;
use super::Failure;
use super::Output;
use super::failure::Helped as _;
use super::output::Tone;
use super::past;
use super::run::Clusters;

/// Show what is done again and again without anybody asking, or do it now
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry jobs list
  tenantry jobs run verify-ledger")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    List(List),
    Run(Box<Run>),
}

/// Show every job: when it runs, who runs it now, and what came of it
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry jobs list
  tenantry jobs list -o json | jq '.jobs[] | select(.lastError)'")]
struct List {
    #[command(flatten)]
    database: postgres::Settings,
}

/// Run a job now, unless somebody else is running it
///
/// It is the same run that the daemon would make, with its lease: of two who want it, one runs
/// it. When it runs by itself does not change. Give the settings that the daemon has.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry jobs run verify-ledger --repository /srv/tenants")]
struct Run {
    /// Its name, as `jobs list` shows it
    name: String,
    #[command(flatten)]
    source: source::Settings,
    #[command(flatten)]
    database: postgres::Settings,
    #[command(flatten)]
    payments: payments::settings::Settings,
    /// Where people find the portal, as the daemon is told
    #[arg(long, value_name = "URL", env = "TENANTRY_PORTAL_URL", help_heading = "Payments")]
    portal_url: Option<PortalUrl>,
    #[command(flatten)]
    clusters: Clusters,
}

/// Every job that the daemon runs.
pub(super) fn registry() -> Arc<[Job]> {
    let every = jiff::SignedDuration::from_hours(1);
    let answers = Job::new(
        "clean-answers",
        "Forget answers that are kept for requests that come twice, once they are a week old",
        Schedule::Every(every),
        |ground| async move {
            let gone = idempotency::clean(&ground.accounts, ground.now).await?;
            Ok(Report::of(format!("{gone} rows forgotten")))
        },
    );
    let mut jobs = jobs::of_a_business();
    jobs.push(answers);
    jobs.sort_by_key(|job| job.name);
    jobs.into()
}

/// Who runs jobs here, as others are told: the machine and the process.
pub(super) fn runner_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "unknown" } else { host.trim() };
    format!("{host}/{}", std::process::id())
}

pub(super) async fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::List(list) => show(list, output).await,
        Command::Run(run) => by_hand(run, output).await,
    }
}

async fn show(list: &List, output: &Output) -> Result<Exit, Failure> {
    let database = Database::connect(list.database.clone()).await?;
    let now = Timestamp::now();
    let standings = jobs::standings(database.pool(), &registry(), now).await?;
    output.result(&json!({ "jobs": standings }), || table(&standings, output, now))?;
    Ok(Exit::Fine)
}

fn table(standings: &[Standing], output: &Output, now: Timestamp) -> String {
    let title = ["JOB", "RUNS", "LAST RUN", "NEXT RUN", "STATE"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> =
        std::iter::once(title).chain(standings.iter().map(|job| row(job, now))).collect();
    let mut lines: Vec<String> = past::columns(&rows).lines().map(str::to_owned).collect();
    for (line, job) in lines.iter_mut().skip(1).zip(standings) {
        let (word, tone) = state(job);
        if let Some(at) = line.rfind(&word) {
            line.replace_range(at..at + word.len(), &output.paint(tone, &word));
        }
        let findings = job.result.iter().flat_map(|report| &report.findings);
        let told = match &job.last_error {
            Some(error) => vec![error.clone()],
            None => findings.cloned().collect(),
        };
        for what in told {
            line.push_str("\n  ");
            line.push_str(&what);
        }
    }
    lines.join("\n")
}

fn row(job: &Standing, now: Timestamp) -> Vec<String> {
    let last = job.ended_at.map_or_else(|| "never".to_owned(), |then| past::ago(then, now));
    let next = job.next_run.map_or_else(|| "-".to_owned(), past::moment);
    vec![job.name.to_owned(), job.schedule.clone(), last, next, state(job).0]
}

fn state(job: &Standing) -> (String, Tone) {
    let findings = job.result.as_ref().map_or(0, |report| report.findings.len());
    match (&job.running, &job.last_error, &job.result) {
        (Some(holder), ..) => (format!("running by {}", holder.by), Tone::Busy),
        (None, Some(_), _) => match job.failed_in_a_row {
            1 => ("failed".to_owned(), Tone::Bad),
            many => (format!("failed {many} times in a row"), Tone::Bad),
        },
        (None, None, Some(_)) if findings > 0 => (format!("found {findings}"), Tone::Odd),
        (None, None, Some(report)) => (report.summary.clone(), Tone::Good),
        (None, None, None) => ("waits for its first run".to_owned(), Tone::Busy),
    }
}

async fn by_hand(run: &Run, output: &Output) -> Result<Exit, Failure> {
    let jobs = registry();
    if !jobs.iter().any(|job| job.name == run.name) {
        let failure = Failure::new(format!("there is no job `{}`", run.name));
        let names = jobs.iter().map(|job| job.name);
        return Err(match crate::model::typed::nearest(&run.name, names) {
            Some(near) => failure.help(format!("did you mean `{near}`?")),
            None => failure.help("`tenantry jobs list` shows them"),
        });
    }
    let database = Database::connect(run.database.clone())
        .await
        .or_help("start `tenantry run` once, which prepares the database")?;
    let providers = run
        .payments
        .read()
        .context("payments cannot be asked about")
        .or_help("correct the file that --payments-file names, or leave it out")?;
    let payments = Payments::over(database.clone(), providers, run.portal_url.clone())
        .context("payments cannot be asked about")
        .or_help("correct the file that --payments-file names, or leave it out")?;
    let newest = newest(run).await?;
    let meter = meter(run, newest.as_ref()).await?;
    let (_keeps, taken) = watch::channel(newest);
    let runner = Runner {
        jobs,
        name: runner_name(),
        accounts: Accounts::over(database, KeySource::Database),
        payments,
        meter,
        // Nodes are looked at by whoever watches them.
        surveyor: None,
        taken,
        clock: Arc::new(SystemClock),
    };
    match runner.by_hand(&run.name).await {
        Ok(report) => {
            let found = !report.findings.is_empty();
            output.result(&report, || text(&report))?;
            Ok(if found { Exit::Failed } else { Exit::Fine })
        }
        Err(error @ JobError::Taken { .. }) => Err(Failure::from(error)),
        Err(error) => Err(Failure::from(error).help("`tenantry jobs list` shows how it stands")),
    }
}

/// Who measures clusters, for the job that does.
async fn meter(run: &Run, newest: Option<&Taken>) -> Result<Option<Arc<dyn Meter>>, Failure> {
    let Some(taken) = newest.filter(|_| run.name == MEASURES) else { return Ok(None) };
    let kubeconfigs = run.clusters.kubeconfigs()?;
    let meter = ClusterMeter::connect(&taken.configuration, &kubeconfigs).await;
    let meter = meter.map_err(anyhow::Error::msg).context("a cluster cannot be measured");
    Ok(Some(Arc::new(
        meter.or_help("name its kubeconfig with --kubeconfig, as the daemon has it")?,
    )))
}

fn text(report: &Report) -> String {
    let findings = report.findings.iter().map(|finding| format!("\n  {finding}"));
    report.summary.clone() + &findings.collect::<String>()
}

/// The newest documents, read into a copy of our own, so that the daemon's is not disturbed.
async fn newest(run: &Run) -> Result<Option<Taken>, Failure> {
    let cache = tempfile::tempdir().context("there is no room for a copy of the repository")?;
    let source = Source::open(run.source.clone(), cache.path()).await?;
    let Head::Taken(commit) = source.look().await? else { return Ok(None) };
    let snapshot = source.snapshot(&commit).await?;
    let configuration = Arc::new(Configuration::read(None, &snapshot));
    Ok(Some(Taken { commit, configuration }))
}
