//! `schema`: the JSON Schemas by which editors complete and check documents.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::api::openapi;
use crate::model::read::KINDS;
use crate::model::schema;
use crate::model::typed::suggestion;

use super::Exit;
use super::Failure;
use super::Output;

/// Print the JSON Schema of a kind of document, or write those of all kinds and of the portal
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry schema                    print the one for documents of any kind
  tenantry schema Subscription       print the one of a kind
  tenantry schema --write schemas    write all, a file for each

An editor that speaks YAML's language server takes this as the first line of a file:
  # yaml-language-server: $schema=schemas/tenantry.json")]
pub(super) struct Arguments {
    /// Print the schema of this kind
    kind: Option<String>,
    /// Write the schemas of all kinds into this folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "kind")]
    write: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let schemas = schema::all();
    let Some(folder) = &arguments.write else {
        let kind = arguments.kind.as_deref().unwrap_or("tenantry");
        let wanted = format!("{}.json", kind.to_lowercase());
        let Some((_, text)) = schemas.iter().find(|(file, _)| *file == wanted) else {
            let failure = Failure::new(format!("there is no kind `{kind}`"));
            return Err(failure.help(suggestion(kind, KINDS)));
        };
        output.text(text)?;
        return Ok(Exit::Fine);
    };
    std::fs::create_dir_all(folder)
        .with_context(|| format!("the folder {} could not be made", folder.display()))?;
    let portal = ("openapi.json".to_owned(), openapi::text());
    for (file, text) in schemas.iter().chain([&portal]) {
        let file = folder.join(file);
        std::fs::write(&file, text)
            .with_context(|| format!("{} could not be written", file.display()))?;
    }
    output.note(format!(
        "{} schemas and the portal's OpenAPI document are in {}",
        schemas.len(),
        folder.display()
    ));
    Ok(Exit::Fine)
}
