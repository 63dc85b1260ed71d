//! `host plan`: what would be done to hosts.

use crate::plan::host::HostPlan;
use crate::plan::host::show;

use super::Exit;
use super::Failure;
use super::Output;
use super::Which;

/// Show what would be done to hosts, and do nothing
///
/// Exits with 0 where there is nothing to do, 1 where something failed, and 2 where there is something to do.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry host plan kassa-plus-1 --ssh-key ~/.ssh/tenantry
  tenantry host plan --commit main          all hosts, by what is on the branch `main`

Exit codes:
  0  there is nothing to do
  1  it could not be planned
  2  there is something to do")]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
}

pub(super) async fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let looked = arguments.which.look(output).await?;
    let plans = || looked.found.iter().map(|found| &found.plan);
    output.result(&plans().map(show::json).collect::<Vec<_>>(), || {
        let texts: Vec<String> = plans().map(|plan| show::text(plan, output.colour())).collect();
        texts.join("\n")
    })?;
    Ok(match (looked.all_good, plans().all(HostPlan::is_well)) {
        (false, _) => Exit::Failed,
        (true, true) => Exit::Fine,
        (true, false) => Exit::Changes,
    })
}
