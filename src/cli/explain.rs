//! `explain`: why is it in this state?

use jiff::Timestamp;
use serde::Serialize;

use crate::history;
use crate::history::told::UnitHistory;
use crate::model::UnitName;
use crate::postgres;

use super::Exit;
use super::Failure;
use super::Output;
use super::past;

/// Say in sentences why a tenant is in its state
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry explain acme
  tenantry explain host/kkt-1")]
pub(super) struct Arguments {
    /// Explain this tenant or host
    unit: UnitName,
    #[command(flatten)]
    database: postgres::Settings,
}

#[derive(Serialize)]
struct Explanation {
    sentences: Vec<String>,
    #[serde(flatten)]
    known: UnitHistory,
}

pub(super) async fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let store = past::open(&arguments.database).await?;
    past::known(&store, &arguments.unit).await?;
    let known = store.unit(&arguments.unit).await?;
    let sentences = history::explain(&known, Timestamp::now());
    let explanation = Explanation { sentences, known };
    output.result(&explanation, || explanation.sentences.join("\n"))?;
    Ok(Exit::Fine)
}
