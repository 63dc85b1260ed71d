//! `approve`: parked deletions go ahead when a commit names their digest. This writes the change.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use serde::Serialize;

use crate::edits::yaml;
use crate::model::Configuration;
use crate::model::Digest;
use crate::model::read::read_file;
use crate::model::snapshot::holds_documents;

use super::Exit;
use super::Failure;
use super::Output;
use super::files;

/// Approve parked deletions, by the digest that `status` and `plan` print
///
/// Shows the change of the platform's document that approves them; with --commit it makes the
/// change and commits it. Nothing is deleted before that commit is on the branch that is followed.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry approve 77270c506301150ebc2d89bf7d9f840d            show the change
  tenantry approve 77270c506301150ebc2d89bf7d9f840d --commit   make it and commit it")]
pub(super) struct Arguments {
    /// Approve the deletions with this digest, and no others
    digest: Digest,
    /// Read the documents of this folder
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    dir: PathBuf,
    /// Make the change and commit it
    #[arg(long)]
    commit: bool,
}

#[derive(Serialize)]
struct Approval {
    digest: Digest,
    file: PathBuf,
    diff: String,
    committed: bool,
}

pub(super) fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let digest = arguments.digest;
    let snapshot = files::of_folder(&arguments.dir)?;
    let documents = snapshot.files.values().filter(|file| holds_documents(&file.path));
    let configuration = Configuration::of(documents.map(|file| read_file(file).into()).collect());
    let platform = configuration.platform.ok_or_else(|| {
        Failure::new("there is no platform document that could hold the approval")
            .help("`tenantry validate` says what is wrong with it")
    })?;
    if platform.spec.deletions.approved.contains(&digest) {
        output.note("these deletions are approved already");
        return Ok(Exit::Fine);
    }
    let path = &platform.origin.file;
    let before = snapshot.text(path).unwrap_or_default();
    let after = approved(path, before, platform.origin.ordinal, digest).map_err(|refused| {
        Failure::new(refused.to_string())
            .help(format!("add `{digest}` to `spec.deletions.approved`"))
    })?;
    let file = arguments.dir.join(&**path);
    if arguments.commit {
        std::fs::write(&file, &after)
            .with_context(|| format!("{} could not be written", file.display()))?;
        commit(&file, digest)?;
    }
    let diff = similar::TextDiff::from_lines(before, after.as_str())
        .unified_diff()
        .header(&format!("a/{path}"), &format!("b/{path}"))
        .to_string();
    let approval = Approval { digest, file, diff, committed: arguments.commit };
    output.result(&approval, || approval.diff.clone())?;
    output.note(if arguments.commit {
        "committed; push it to the branch that is followed"
    } else {
        "nothing is changed yet: commit this, or say --commit"
    });
    Ok(Exit::Fine)
}

/// Commits one file as whoever runs this, with their hooks and their signature.
fn commit(file: &Path, digest: Digest) -> Result<(), Failure> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let message = format!("Approve parked deletions\n\nDeletions: {digest}\n");
    let commit = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["commit", "--quiet", "--message", &message, "--"])
        .arg(file.file_name().unwrap_or_default())
        .output()
        .context("the program `git` could not be run")?;
    if commit.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&commit.stderr);
    let failure = Failure::new(format!("the commit failed: {}", said.trim()));
    Err(failure.help(format!("{} is changed: commit it by hand", file.display())))
}

/// The text of a file with a digest added to what its platform approves; everything else stays
/// as it is laid out.
fn approved(
    file: &str,
    text: &str,
    ordinal: usize,
    digest: Digest,
) -> Result<String, yaml::NotEdited> {
    let path = ["spec", "deletions", "approved"].into();
    yaml::edit(file, text, ordinal, &yaml::Change::Append(path, digest.to_string().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "77270c506301150ebc2d89bf7d9f840d";
    const OTHER: &str = "00000000000000000000000000000001";

    #[track_caller]
    fn check(spec: &str, expected: Option<&str>) {
        let head = "# Ours.\nkind: Platform\nspec:\n  currency: USD # per month\n";
        let text = format!("{head}{spec}");
        let changed = approved("platform.yaml", &text, 0, DIGEST.parse().unwrap());
        assert_eq!(changed.ok(), expected.map(|spec| format!("{head}{spec}")));
    }

    #[test]
    fn a_list_gets_one_more_item_as_it_is_laid_out() {
        check(
            &format!("  deletions:\n    approved:\n      - {OTHER} # done\n    limit: {{}}\n"),
            Some(&format!(
                "  deletions:\n    approved:\n      - {OTHER} # done\n      - {DIGEST}\n    limit: {{}}\n"
            )),
        );
        check(
            &format!("  deletions:\n    approved: [\"{OTHER}\"]\n"),
            Some(&format!("  deletions:\n    approved: [\"{OTHER}\", {DIGEST}]\n")),
        );
    }

    #[test]
    fn a_platform_that_approved_nothing_yet_gets_the_list() {
        check(
            "  deletions:\n    # At once.\n    limit: {tenants: 2}\n",
            Some(&format!(
                "  deletions:\n    # At once.\n    limit: {{tenants: 2}}\n    approved: [{DIGEST}]\n"
            )),
        );
        check("", Some(&format!("  deletions:\n    approved: [{DIGEST}]\n")));
        check("  deletions:\n", Some(&format!("  deletions:\n    approved: [{DIGEST}]\n")));
    }

    #[test]
    fn what_is_laid_out_in_another_way_is_left_alone() {
        check("  deletions: &limits {limit: {}}\n  others: *limits\n", None);
    }
}
