//! `demo`: everything at work on this machine, and nothing left behind. It stands on a played
//! cluster and a private PostgreSQL, starts the daemon that `run` starts, and plays the main job
//! in front of the user: order, commit, converge, repair, revert.

mod breaking;
mod ending;
mod example;
mod folder;
mod ground;
mod hands;
mod opening;
mod play;
mod repository;
mod told;
mod witness;

use std::pin::Pin;
use std::time::Instant;

use ground::Ground;
use play::Play;
use witness::Witness;

use super::Exit;
use super::Failure;
use super::Output;
use super::run::Daemon;
use super::run::told_to_stop;

/// Show everything at work on this machine: no cluster, no configuration, nothing left behind
///
/// Git, PostgreSQL, HTTP and the daemon are real; the cluster is a Kubernetes API inside this
/// program, good enough for kubectl, whose pods are only played.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry demo
  tenantry demo --keep
  tenantry demo -o json | jq .tookMs")]
pub(super) struct Arguments {
    /// Leave everything running at the end, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

type Stop<'a> = Pin<&'a mut (dyn Future<Output = Result<(), Failure>> + Send)>;

pub(super) async fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let mut stop = std::pin::pin!(told_to_stop());
    let started = Instant::now();
    let progress = output.progress("starting a cluster and PostgreSQL", None);
    let ground = unless_stopped(stop.as_mut(), Ground::prepare()).await?;
    drop(progress);
    let played = on(&ground, arguments, output, stop, started).await;
    let cleared = ground.clear().await;
    played?;
    cleared?;
    output.note("everything is stopped and removed");
    if !arguments.keep {
        output.note("`tenantry demo --keep` leaves it running, for kubectl, curl, psql and git");
    }
    Ok(Exit::Fine)
}

async fn on(
    ground: &Ground,
    arguments: &Arguments,
    output: &Output,
    mut stop: Stop<'_>,
    started: Instant,
) -> Result<(), Failure> {
    let (witness, ear) = Witness::new();
    let daemon = Daemon::start(ground.parts(ear)).await?;
    let mut play = Play { ground, daemon: &daemon, witness, output, started };
    let mut played = unless_stopped(stop.as_mut(), play.everything()).await;
    if arguments.keep && played.is_ok() {
        played = play.go_on();
        if played.is_ok() {
            played = stop.await;
            output.note("\nstopping");
        }
    }
    daemon.stop(output).await;
    played
}

/// Goes on until it is done, or somebody wants an end of it.
async fn unless_stopped<T>(
    stop: Stop<'_>,
    doing: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        done = doing => done,
        stopped = stop => {
            stopped?;
            Err(Failure::new("interrupted: everything that was started is stopped and removed"))
        }
    }
}
