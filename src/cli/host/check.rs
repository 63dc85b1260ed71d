//! `host check`: are hosts as their documents say, and well?

use serde_json::json;

use crate::plan::host::show;

use super::Exit;
use super::Failure;
use super::Found;
use super::Output;
use super::Tone;
use super::Which;

/// Check that hosts are as their documents say, and that what runs on them answers
///
/// Exits with 1 where a host is not.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry host check kassa-plus-1 --ssh-key ~/.ssh/tenantry")]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
}

pub(super) async fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let looked = arguments.which.look(output).await?;
    let mut good = looked.all_good;
    let mut told = Vec::new();
    let mut lines = Vec::new();
    for Found { name, plan, .. } in &looked.found {
        good &= plan.is_well();
        told.push(json!({"host": name, "well": plan.is_well(), "failing": plan.failing}));
        if plan.is_well() {
            lines.push(format!("{name}: {}", output.paint(Tone::Good, "as it should be")));
        } else {
            let summary = show::summary(plan);
            lines.push(format!("{name}: {}", output.paint(Tone::Bad, &summary)));
            lines.extend(
                plan.failing.iter().map(|check| format!("  {}: {}", check.resource, check.why)),
            );
        }
    }
    output.result(&told, || lines.join("\n"))?;
    Ok(if good { Exit::Fine } else { Exit::Failed })
}
