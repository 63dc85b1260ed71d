//! `validate`: is everything allowed that the documents say?

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::Finding;
use crate::model::Severity;
use crate::model::Snapshot;
use crate::notify::Own;
use crate::reconcile::desired::advance;
use crate::validate::report;

use super::Exit;
use super::Failure;
use super::Output;
use super::files;

/// Check the documents of a folder or a commit
///
/// Exits with 1 where an error is found. Warnings keep nobody from converging.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry validate                                  the folder you are in, committed or not
  tenantry validate tenants-example --commit main    what is on the branch `main`
  tenantry validate --format github                  annotations on a pull request")]
pub(super) struct Arguments {
    /// Check this folder
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Check this commit of the repository around the folder, instead of what is there now
    #[arg(long, value_name = "REVISION")]
    commit: Option<String>,
    /// Tell findings in this form
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Format {
    /// For people, with the lines of the files
    Plain,
    Json,
    /// For code scanning
    Sarif,
    /// For the log of a GitHub workflow
    Github,
}

pub(super) async fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let snapshot = match &arguments.commit {
        None => files::of_folder(&arguments.folder)?,
        Some(revision) => files::of_revision(&arguments.folder, revision).await?,
    };
    let progress = output.progress("checking the documents", None);
    // Rendering finds what no rule can: a template that does not fit.
    let desired = advance(None, &snapshot, Timestamp::now());
    let (_, of_letters) = Own::of(&desired.configuration.letters);
    let mut findings = [desired.findings, of_letters].concat();
    findings.sort();
    drop(progress);
    let errors = findings.iter().any(|finding| finding.severity == Severity::Error);
    let usual = if output.is_json() { Format::Json } else { Format::Plain };
    let format = arguments.format.unwrap_or(usual);
    // A terminal opens what is said from here, a code scanner from the root of the repository.
    let above = match format {
        Format::Plain | Format::Json => {
            arguments.folder.strip_prefix(".").unwrap_or(&arguments.folder).to_owned()
        }
        Format::Sarif | Format::Github => files::inside_repository(&arguments.folder)?,
    };
    let (findings, snapshot) = below(&above, findings, &snapshot);
    let report = match format {
        Format::Plain => report::plain(&findings, &snapshot, output.colour()),
        Format::Json => report::json(&findings),
        Format::Sarif => report::sarif(&findings),
        Format::Github => report::github(&findings),
    };
    output.text(&report)?;
    if matches!(format, Format::Github) {
        output.note(report::summary(&findings));
    }
    Ok(if errors { Exit::Failed } else { Exit::Fine })
}

/// The same findings and files, with their paths as they are seen from above the folder.
fn below(above: &Path, findings: Vec<Finding>, snapshot: &Snapshot) -> (Vec<Finding>, Snapshot) {
    let longer = |file: &Arc<str>| -> Arc<str> { above.join(&**file).to_string_lossy().into() };
    let findings = findings.into_iter().map(|mut finding| {
        let places = finding.related.iter_mut().map(|(place, _)| place);
        for place in places.chain([&mut finding.place]) {
            place.file = longer(&place.file);
        }
        finding
    });
    let files = snapshot.files.iter().map(|(path, file)| (longer(path), file.clone()));
    let snapshot = Snapshot { commit: snapshot.commit.clone(), files: files.collect() };
    (findings.collect(), snapshot)
}
