//! `mail`: the mails that people get, to look at before anybody gets them.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::json;

use crate::model::Configuration;
use crate::model::typed::suggestion;
use crate::notify::House;
use crate::notify::Own;
use crate::notify::catalog;
use crate::notify::letter::LANGUAGES;
use crate::outbox::Mail;

use super::Exit;
use super::Failure;
use super::Output;
use super::files;

/// List the mails that people get, and show them with made-up values
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry mail list
  tenantry mail preview instance-ready --language vi
  tenantry mail preview invoice --html > invoice.html
  tenantry mail preview welcome --folder /srv/tenants")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// List all mails and when each is sent
    #[command(after_help = "Example:\n  tenantry mail list --output json")]
    List,
    /// Show one mail
    #[command(after_help = "Example:\n  tenantry mail preview welcome --language ru")]
    Preview(Preview),
}

#[derive(clap::Args, Debug)]
struct Preview {
    /// Show the mail of this name
    name: String,
    /// Show it in this language
    #[arg(long, short, default_value = "en", value_parser = LANGUAGES)]
    language: String,
    /// Show the HTML of it instead of its text
    #[arg(long)]
    html: bool,
    /// Show it in the words of `templates/email/` in this folder of a repository
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::List => list(output),
        Command::Preview(preview) => show(preview, output),
    }
}

fn list(output: &Output) -> Result<Exit, Failure> {
    let mails: Vec<_> = catalog::ALL
        .iter()
        .map(|template| json!({ "name": template.name, "about": template.about }))
        .collect();
    output.result(&json!({ "mails": mails, "languages": LANGUAGES }), || {
        let longest = catalog::ALL.iter().map(|template| template.name.len()).max().unwrap_or(0);
        let line = |template: &catalog::Template| {
            format!("{:longest$}  {}\n", template.name, template.about)
        };
        catalog::ALL.iter().map(line).collect()
    })?;
    Ok(Exit::Fine)
}

fn show(preview: &Preview, output: &Output) -> Result<Exit, Failure> {
    let Some(template) = catalog::find(&preview.name) else {
        let names: Vec<&str> = catalog::ALL.iter().map(|template| template.name).collect();
        let failure = Failure::new(format!("there is no mail `{}`", preview.name));
        return Err(failure.help(suggestion(&preview.name, &names)));
    };
    let own = own(preview.folder.as_deref(), output)?;
    let house = House {
        platform: "kiteclass.example".to_owned(),
        portal: "https://portal.kiteclass.example".to_owned(),
        support: "help@kiteclass.example".to_owned(),
        zone: TimeZone::UTC,
        own: Arc::new(own),
    };
    let mut values = template.samples();
    values["name"] = "An Nguyen".into();
    let mail = Mail {
        template: preview.name.clone(),
        to: "an@acme.example".to_owned(),
        language: preview.language.clone(),
        values,
    };
    let letter = house.write(&mail)?;
    let value = json!({ "subject": letter.subject, "text": letter.text, "html": letter.html });
    output.result(&value, || {
        if preview.html {
            letter.html.clone()
        } else {
            format!("Subject: {}\n\n{}", letter.subject, letter.text)
        }
    })?;
    Ok(Exit::Fine)
}

/// The words of a repository; what is wrong with them is told beside.
fn own(folder: Option<&Path>, output: &Output) -> Result<Own, Failure> {
    let Some(folder) = folder else { return Ok(Own::default()) };
    let snapshot = files::of_folder(folder)?;
    let (own, findings) = Own::of(&Configuration::read(None, &snapshot).letters);
    for finding in findings {
        output.note(format!(
            "{}: {}; the text that is built in is shown",
            finding.place, finding.message
        ));
    }
    Ok(own)
}
