//! `host facts`: what a host says of itself.

use serde_json::Value;
use serde_json::json;

use super::Exit;
use super::Failure;
use super::Found;
use super::Output;
use super::Which;

/// Show what hosts say of themselves
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry host facts kassa-plus-1 --ssh-key ~/.ssh/tenantry
  tenantry host facts -o json               of all hosts, for machines")]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
}

pub(super) async fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let looked = arguments.which.look(output).await?;
    let facts = |Found { name, observation, .. }: &Found| {
        json!({
            "host": name,
            "machine": observation.facts.machine,
            "generation": observation.inventory.generation,
            "ours": observation.inventory.entries.keys().collect::<Vec<_>>(),
        })
    };
    let told: Vec<Value> = looked.found.iter().map(facts).collect();
    output.result(&told, || serde_yaml::to_string(&told).unwrap_or_default())?;
    Ok(if looked.all_good { Exit::Fine } else { Exit::Failed })
}
