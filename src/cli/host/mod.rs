//! `host`: client servers, looked at and changed over SSH.

mod apply;
mod check;
mod console;
mod facts;
mod plan;
mod scan;

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use jiff::Timestamp;

use crate::apply::host::Access;
use crate::apply::host::Observation;
use crate::model::Document;
use crate::model::Finding;
use crate::model::Host;
use crate::model::Name;
use crate::model::typed::nearest;
use crate::plan::host::HostPlan;
use crate::plan::host::Ordered;
use crate::reconcile::desired::Desired;
use crate::reconcile::desired::advance;
use crate::reconcile::hosts;

use super::Exit;
use super::Failure;
use super::Output;
use super::files;
use super::output::Tone;

/// How many hosts are worked on at once, where nobody says otherwise.
const AT_ONCE: usize = 8;

/// Look at client servers, and bring them to what their documents say
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry host scan 203.0.113.10             the host keys to commit, and their fingerprints
  tenantry host plan kassa-plus-1             what would be done to it
  tenantry host apply kassa-plus-1            do it")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Scan(scan::Arguments),
    Facts(facts::Arguments),
    Plan(plan::Arguments),
    Apply(apply::Arguments),
    Check(check::Arguments),
    Console(console::Arguments),
}

pub(super) async fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Scan(arguments) => scan::run(arguments, output).await,
        Command::Facts(arguments) => facts::run(arguments, output).await,
        Command::Plan(arguments) => plan::run(arguments, output).await,
        Command::Apply(arguments) => apply::run(arguments, output).await,
        Command::Check(arguments) => check::run(arguments, output).await,
        Command::Console(arguments) => console::run(arguments, output).await,
    }
}

/// Which hosts, and how they are reached.
#[derive(clap::Args, Debug)]
struct Which {
    /// Look at these hosts; without any, at all of them
    hosts: Vec<Name>,
    #[command(flatten)]
    documents: Documents,
    /// Log in with this private key, of ed25519 and without a passphrase
    #[arg(long, value_name = "FILE", env = "TENANTRY_SSH_KEY")]
    ssh_key: PathBuf,
    /// Work on so many hosts at once
    #[arg(long, value_name = "COUNT", default_value_t = AT_ONCE)]
    at_once: usize,
}

/// Where the documents are.
#[derive(clap::Args, Debug)]
struct Documents {
    /// Read the documents of this folder
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    dir: PathBuf,
    /// Read this commit of the repository around the folder, instead of what is there now
    #[arg(long, value_name = "REVISION")]
    commit: Option<String>,
}

impl Documents {
    async fn read(&self) -> Result<Desired, Failure> {
        let snapshot = match &self.commit {
            None => files::of_folder(&self.dir)?,
            Some(revision) => files::of_revision(&self.dir, revision).await?,
        };
        Ok(advance(None, &snapshot, Timestamp::now()))
    }
}

/// A host that a command looks at: what is asked of it, and the way to it.
struct Wanted {
    name: Name,
    ordered: Ordered,
    access: Access,
}

/// What was found on the hosts that could be looked at.
struct Looked {
    found: Vec<Found>,
    /// Whether all of them could be.
    all_good: bool,
}

/// What was found on a host, and what would have to be done.
struct Found {
    name: Name,
    observation: Observation,
    plan: HostPlan,
}

impl Which {
    /// Reads the documents, and hands over each host that can be worked on. Those that cannot
    /// are told, and keep nobody else from it.
    async fn wanted(&self, output: &Output) -> Result<(Desired, Vec<Wanted>, bool), Failure> {
        let desired = self.documents.read().await?;
        let mut wanted = Vec::new();
        let mut all_good = true;
        for name in self.names(&desired)? {
            match self.one(&desired, &name) {
                Ok(host) => wanted.push(host),
                Err(whys) => {
                    all_good = false;
                    output.note(format!("{name} is left as it is:"));
                    for why in whys {
                        output.note(format!("  {why}"));
                    }
                }
            }
        }
        Ok((desired, wanted, all_good))
    }

    /// Looks at each host. Those that cannot be looked at are told.
    async fn look(&self, output: &Output) -> Result<Looked, Failure> {
        let (desired, wanted, mut all_good) = self.wanted(output).await?;
        let looks =
            on_each(&wanted, self.at_once, |host| hosts::look(host.access.clone(), &host.ordered));
        let approved = hosts::approvals(&desired);
        let mut found = Vec::new();
        for ((name, look), host) in looks.await.into_iter().zip(&wanted) {
            match look {
                Ok(observation) => {
                    let plan = observation.plan(&host.ordered, &approved);
                    found.push(Found { name: name.clone(), observation, plan });
                }
                Err(error) => {
                    all_good = false;
                    failed(output, name, &error);
                }
            }
        }
        Ok(Looked { found, all_good })
    }

    fn names(&self, desired: &Desired) -> Result<Vec<Name>, Failure> {
        if self.hosts.is_empty() {
            return Ok(desired.configuration.hosts.keys().cloned().collect());
        }
        for name in &self.hosts {
            document(desired, name)?;
        }
        let mut names = self.hosts.clone();
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn one(&self, desired: &Desired, name: &Name) -> Result<Wanted, Vec<String>> {
        let told = |finding: Finding| {
            let help = finding.help.map(|help| format!("; {help}")).unwrap_or_default();
            format!("{}: {}{help} [{}]", finding.place, finding.message, finding.rule)
        };
        let ordered = hosts::wanted(desired, name)
            .map_err(|findings| findings.into_iter().map(told).collect::<Vec<_>>())?;
        let document = document(desired, name).map_err(|failure| vec![failure.message()])?;
        let access =
            Access::of(document, &self.ssh_key).map_err(|error| vec![error.to_string()])?;
        Ok(Wanted { name: name.clone(), ordered, access })
    }
}

fn document<'a>(desired: &'a Desired, name: &Name) -> Result<&'a Arc<Document<Host>>, Failure> {
    let hosts = &desired.configuration.hosts;
    hosts.get(name).ok_or_else(|| {
        let failure = Failure::new(format!("there is no host `{name}`"));
        match nearest(name.as_str(), hosts.keys().map(Name::as_str)) {
            Some(near) => failure.help(format!("did you mean `{near}`?")),
            None => failure.help("look at the documents of kind `Host`"),
        }
    })
}

/// Does something with several hosts at once; a slow one keeps no other waiting. What comes of it
/// is in the order of their names.
async fn on_each<'a, T, F: Future<Output = T>>(
    hosts: &'a [Wanted],
    at_once: usize,
    work: impl Fn(&'a Wanted) -> F,
) -> Vec<(&'a Name, T)> {
    let works = hosts.iter().map(|host| {
        let work = work(host);
        async move { (&host.name, work.await) }
    });
    let mut done: Vec<(&Name, T)> =
        stream::iter(works).buffer_unordered(at_once.max(1)).collect().await;
    done.sort_by_key(|(name, _)| *name);
    done
}

/// Tells why nothing can be said of a host.
fn failed(output: &Output, name: &Name, why: &impl std::fmt::Display) {
    output.note(format!("{}: {why}", output.paint(Tone::Bad, name.as_str())));
}
