//! `plan`: what would be done, told before it is done.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::Severity;
use crate::model::Snapshot;
use crate::model::UnitName;
use crate::model::resource::Rendered;
use crate::plan::Preview;
use crate::plan::UnitPreview;
use crate::plan::preview::Held;
use crate::plan::preview::between;
use crate::plan::show;
use crate::reconcile::answer::Documented;
use crate::reconcile::desired::Desired;
use crate::reconcile::desired::advance;

use super::Exit;
use super::Failure;
use super::Output;
use super::files;
use super::live;
use super::past;
use super::run::Clusters;

/// Show what would be done, and do nothing
///
/// Compares two revisions; or, without --from, what is committed with the clusters as they are now.
/// Exits with 0 where there is nothing to do, 1 where something failed, and 2 where there is something to do.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry plan --kubeconfig ~/.kube/config    what the daemon would do to the clusters now
  tenantry plan --from HEAD                    what the uncommitted changes would do
  tenantry plan --from main --to price-change  what merging a branch would do
  tenantry plan --from HEAD --to HEAD~1        what reverting the last commit would do
  tenantry plan --from ../yesterday --to .     between two folders

Exit codes:
  0  there is nothing to do
  1  it could not be planned
  2  there is something to do")]
pub(super) struct Arguments {
    /// Read the documents of this folder
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Start from this revision of the repository around the folder, or from another folder;
    /// without it, from the clusters as they are now
    #[arg(long, value_name = "REVISION")]
    from: Option<String>,
    /// Go to this revision or folder; without it, to the folder as it is now, or from the clusters
    /// to HEAD
    #[arg(long, value_name = "REVISION")]
    to: Option<String>,
    /// Plan for this time, which decides who is suspended
    #[arg(long, value_name = "TIME", value_parser = past::read_time)]
    at: Option<Timestamp>,
    #[command(flatten)]
    clusters: Clusters,
}

pub(super) async fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let now = arguments.at.unwrap_or_else(Timestamp::now);
    let folder = &arguments.folder;
    let preview = if let Some(from) = &arguments.from {
        let from = files::of_either(folder, from).await?;
        let to = match &arguments.to {
            None => files::of_folder(folder)?,
            Some(to) => files::of_either(folder, to).await?,
        };
        preview(&from, &to, now, output)?
    } else {
        let to = arguments.to.as_deref().unwrap_or("HEAD");
        let snapshot = files::of_either(folder, to).await?;
        let documented = Documented::new(Arc::new(advance(None, &snapshot, now)), &snapshot);
        tell_errors(&documented.desired, output);
        live::preview(&documented, &arguments.clusters.kubeconfigs()?, output, now).await?
    };
    output.result(&preview, || show::text(&preview, output.colour()))?;
    Ok(if preview.is_empty() { Exit::Fine } else { Exit::Changes })
}

fn preview(
    from: &Arc<Snapshot>,
    to: &Arc<Snapshot>,
    now: Timestamp,
    output: &Output,
) -> Result<Preview, Failure> {
    let progress = output.progress("rendering", None);
    let from = advance(None, from, now);
    let to = advance(Some(&from), to, now);
    drop(progress);
    tell_errors(&to, output);
    let mut names: Vec<&UnitName> = from.units.keys().chain(to.units.keys()).collect();
    names.sort();
    names.dedup();
    let mut units: Vec<UnitPreview> = Vec::new();
    let mut unchanged = 0;
    let progress = output.progress("comparing", Some(names.len()));
    for name in names {
        progress.step();
        if is_same(&from, &to, name) {
            unchanged += 1;
            continue;
        }
        let (before, after) = (bodies(&from, name)?, bodies(&to, name)?);
        units.extend(between(before.as_ref(), after.as_ref(), now));
    }
    let held = to.held.iter();
    let held = held.map(|(unit, why)| Held { unit: unit.clone(), why: why.clone() }).collect();
    let platform = to.platform.as_ref().or(from.platform.as_ref());
    let deletions = platform.map(|platform| platform.spec.deletions.clone()).unwrap_or_default();
    let mut preview = Preview::new(units, held, &deletions, to.unsure.as_deref());
    preview.unchanged += unchanged;
    Ok(preview)
}

/// What is wrong may be the reason why less changes than somebody hoped for.
fn tell_errors(desired: &Desired, output: &Output) {
    let errors = desired.findings.iter().filter(|finding| finding.severity == Severity::Error);
    match errors.count() {
        0 => {}
        1 => output.note("1 error was found in the documents: `tenantry validate` shows it"),
        count => {
            output.note(format!(
                "{count} errors were found in the documents: `tenantry validate` shows them"
            ));
        }
    }
}

/// Whether both ask for the same, which needs no rendering to be known.
fn is_same(from: &Desired, to: &Desired, unit: &UnitName) -> bool {
    match (from.units.get(unit), to.units.get(unit)) {
        (Some(from), Some(to)) => from.digest == to.digest,
        _ => false,
    }
}

fn bodies(desired: &Desired, unit: &UnitName) -> Result<Option<Rendered>, Failure> {
    Ok(desired.units.get(unit).map(|unit| unit.bodies()).transpose()?)
}
