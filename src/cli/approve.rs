//! `approve`: parked deletions go ahead when a commit names their digest. This writes the change.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use serde::Serialize;

use crate::model::Configuration;
use crate::model::Digest;
use crate::model::read::read_file;
use crate::model::snapshot::holds_documents;
use crate::model::yaml;
use crate::model::yaml::Node;
use crate::model::yaml::Value;

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
    let after = approved(before, platform.origin.ordinal, digest).ok_or_else(|| {
        Failure::new(format!("{path} is laid out in a way that this cannot change"))
            .help(format!("add `{digest}` to `spec.deletions.approved` by hand"))
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
/// as it is laid out. None where that would change more than that.
fn approved(text: &str, ordinal: usize, digest: Digest) -> Option<String> {
    let root = document(text, ordinal)?;
    let spec = root.get("spec")?;
    let changed =
        match (spec.get("deletions"), find(spec, "deletions").and_then(|d| d.1.get("approved"))) {
            (Some(_), Some(list)) => add_to_list(text, list, digest),
            (Some(_), None) => add_field(text, spec, "deletions", &format!("approved: [{digest}]")),
            (None, _) => {
                add_field(text, &root, "spec", &format!("deletions: {{ approved: [{digest}] }}"))
            }
        }?;
    let mut expected = root.to_json();
    let list = &mut expected["spec"]["deletions"]["approved"];
    let mut digests = list.as_array().cloned().unwrap_or_default();
    digests.push(digest.to_string().into());
    *list = digests.into();
    // Objects of equal content are equal whatever their order; the list's order does not matter.
    let mut made = document(&changed, ordinal)?.to_json();
    let sorted = |value: &mut serde_json::Value| {
        if let Some(list) = value["spec"]["deletions"]["approved"].as_array_mut() {
            list.sort_by_key(ToString::to_string);
        }
    };
    sorted(&mut made);
    sorted(&mut expected);
    (made == expected).then_some(changed)
}

fn document(text: &str, ordinal: usize) -> Option<Node> {
    let (documents, refused) = yaml::read(text.as_bytes());
    if refused.is_empty() { documents.into_iter().nth(ordinal) } else { None }
}

fn find<'a>(node: &'a Node, key: &str) -> Option<(&'a yaml::Key, &'a Node)> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|(name, _)| name.text == key).map(|(key, node)| (key, node))
}

/// Adds a digest at the start of a list in brackets, or at the end of one with dashes.
fn add_to_list(text: &str, list: &Node, digest: Digest) -> Option<String> {
    let Value::List(items) = &list.value else { return None };
    let at = offset(text, list.mark)?;
    if text[at..].starts_with('[') {
        let comma = if items.is_empty() { "" } else { ", " };
        return Some(insert(text, at + 1, &format!("{digest}{comma}")));
    }
    let last = items.last()?;
    let line_start = offset(text, yaml::Mark { line: last.mark.line, column: 1 })?;
    let dash = text[line_start..].find('-')?;
    let after = text[line_start..].find('\n').map_or(text.len(), |end| line_start + end + 1);
    let indent = &text[line_start..line_start + dash];
    Some(insert(text, after, &format!("{indent}- {digest}\n")))
}

/// Adds a field as the first under a key, where what is there starts on a line of its own.
fn add_field(text: &str, above: &Node, key: &str, field: &str) -> Option<String> {
    let (key, map) = find(above, key)?;
    let Value::Map(entries) = &map.value else { return None };
    let (first, _) = entries.first()?;
    let braces = offset(text, map.mark)?;
    if text[braces..].starts_with('{') {
        return Some(insert(text, braces + 1, &format!(" {field},")));
    }
    if first.mark.line == key.mark.line {
        return None;
    }
    let below = offset(text, yaml::Mark { line: key.mark.line + 1, column: 1 })?;
    let indent = " ".repeat(usize::try_from(first.mark.column).ok()?.checked_sub(1)?);
    Some(insert(text, below, &format!("{indent}{field}\n")))
}

/// Where a mark is in the text, in bytes.
fn offset(text: &str, mark: yaml::Mark) -> Option<usize> {
    let line = usize::try_from(mark.line).ok()?.checked_sub(1)?;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let column = usize::try_from(mark.column).ok()?.checked_sub(1)?;
    let inside =
        text.get(start..)?.char_indices().nth(column).map_or(text.len() - start, |at| at.0);
    Some(start + inside)
}

fn insert(text: &str, at: usize, what: &str) -> String {
    let (before, after) = text.split_at(at);
    let line_is_open = what.ends_with('\n') && !before.is_empty() && !before.ends_with('\n');
    format!("{before}{}{what}{after}", if line_is_open { "\n" } else { "" })
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
        let changed = approved(&text, 0, DIGEST.parse().unwrap());
        let expected = expected.map(|spec| {
            if spec.starts_with("spec:") {
                format!("# Ours.\nkind: Platform\n{spec}")
            } else {
                format!("{head}{spec}")
            }
        });
        assert_eq!(changed, expected);
    }

    #[test]
    fn a_list_with_dashes_gets_one_more_line() {
        check(
            &format!("  deletions:\n    approved:\n      - {OTHER} # done\n    limit: {{}}\n"),
            Some(&format!(
                "  deletions:\n    approved:\n      - {OTHER} # done\n      - {DIGEST}\n    limit: {{}}\n"
            )),
        );
        check(
            &format!("  deletions:\n    approved:\n    - '{OTHER}'"),
            Some(&format!("  deletions:\n    approved:\n    - '{OTHER}'\n    - {DIGEST}\n")),
        );
    }

    #[test]
    fn a_list_in_brackets_gets_one_more_item() {
        check(
            &format!("  deletions:\n    approved: [\"{OTHER}\"]\n"),
            Some(&format!("  deletions:\n    approved: [{DIGEST}, \"{OTHER}\"]\n")),
        );
        check(
            "  deletions: {approved: []}\n",
            Some(&format!("  deletions: {{approved: [{DIGEST}]}}\n")),
        );
    }

    #[test]
    fn a_platform_that_approved_nothing_yet_gets_the_list() {
        check(
            "  deletions:\n    # At once.\n    limit: {tenants: 2}\n",
            Some(&format!(
                "  deletions:\n    approved: [{DIGEST}]\n    # At once.\n    limit: {{tenants: 2}}\n"
            )),
        );
        check(
            "",
            Some(&format!(
                "spec:\n  deletions: {{ approved: [{DIGEST}] }}\n  currency: USD # per month\n"
            )),
        );
    }

    #[test]
    fn what_is_laid_out_in_another_way_is_left_alone() {
        check("  deletions:\n", None);
        check("  deletions: &limits {limit: {}}\n  others: *limits\n", None);
    }
}
