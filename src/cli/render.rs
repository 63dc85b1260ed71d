//! `render`: what a tenant becomes.

use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::model::Resource;
use crate::model::UnitName;
use crate::model::resource::OUR_GROUP;
use crate::model::resource::Rendered;
use crate::model::typed::nearest;
use crate::plan::masking;
use crate::reconcile::desired::Desired;
use crate::reconcile::desired::advance;

use super::Exit;
use super::Failure;
use super::Output;
use super::files;
use super::past;

/// Show what a tenant becomes
///
/// Prints the objects in the order in which they are made. Without a tenant it prints those of all.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry render acme                               as YAML
  tenantry render acme --at 2027-01-01T00:00:00Z     as it will be on New Year's Day
  tenantry render acme --commit HEAD~1 -o json       as it was one commit ago, as JSON")]
pub(super) struct Arguments {
    /// Render this tenant alone
    tenant: Option<UnitName>,
    /// Read the documents of this folder
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    dir: PathBuf,
    /// Read this commit of the repository around the folder, instead of what is there now
    #[arg(long, value_name = "REVISION")]
    commit: Option<String>,
    /// Render for this time, which decides who is suspended
    #[arg(long, value_name = "TIME", value_parser = past::read_time)]
    at: Option<Timestamp>,
}

pub(super) async fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let snapshot = match &arguments.commit {
        None => files::of_folder(&arguments.dir)?,
        Some(revision) => files::of_revision(&arguments.dir, revision).await?,
    };
    let progress = output.progress("rendering", None);
    let desired = advance(None, &snapshot, arguments.at.unwrap_or_else(Timestamp::now));
    drop(progress);
    let units: Vec<&UnitName> = match &arguments.tenant {
        None => desired.units.keys().collect(),
        Some(tenant) => vec![known(&desired, tenant)?],
    };
    let mut all = Vec::new();
    for unit in units {
        let rendered = desired.units[unit].bodies()?;
        if output.is_json() {
            all.push(as_json(&rendered));
        } else {
            output.text(&as_yaml(&rendered)?)?;
        }
    }
    if output.is_json() {
        output.result(&all, String::new)?;
    }
    if arguments.tenant.is_none() {
        for (unit, why) in &desired.held {
            output.note(format!("{unit} cannot be rendered: {why}"));
        }
        return Ok(if desired.held.is_empty() { Exit::Fine } else { Exit::Failed });
    }
    Ok(Exit::Fine)
}

/// The tenant as it is known, or why it is not.
fn known<'a>(desired: &'a Desired, tenant: &UnitName) -> Result<&'a UnitName, Failure> {
    if let Some((unit, _)) = desired.units.get_key_value(tenant) {
        return Ok(unit);
    }
    if let Some(why) = desired.held.get(tenant) {
        let failure = Failure::new(format!("`{tenant}` cannot be rendered: {why}"));
        return Err(failure.help("`tenantry validate` shows everything that is wrong"));
    }
    let names: Vec<String> =
        desired.units.keys().chain(desired.held.keys()).map(ToString::to_string).collect();
    let near = nearest(&tenant.to_string(), names.iter().map(String::as_str));
    let failure = Failure::new(format!("there is no tenant `{tenant}`"));
    Err(match near {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None => failure.help("`tenantry render` without a name renders all of them"),
    })
}

fn as_json(rendered: &Rendered) -> Value {
    let resource = |resource: &Resource| {
        json!({
            "resource": resource.id,
            "stage": resource.stage,
            "subscription": resource.subscription,
            "onDelete": resource.on_delete,
            "digest": resource.digest,
            "object": shown(resource),
        })
    };
    json!({
        "unit": rendered.unit,
        "cluster": rendered.cluster,
        "digest": rendered.digest,
        "resources": rendered.resources.iter().map(resource).collect::<Vec<_>>(),
    })
}

fn as_yaml(rendered: &Rendered) -> Result<String, Failure> {
    let mut text = String::new();
    for resource in &rendered.resources {
        let body = serde_yaml::to_string(&shown(resource))?;
        let title = format!("# {}: {}, {}", rendered.unit, resource.stage, resource.id);
        text.extend(["---\n", &title, "\n", &body]);
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    Ok(text)
}

/// The object as it is shown: a database with a kind, a Secret without what is secret.
fn shown(resource: &Resource) -> Value {
    let object = if resource.id.is_database() {
        json!({
            "apiVersion": format!("{OUR_GROUP}/v1"),
            "kind": resource.id.kind,
            "metadata": {"name": resource.id.name, "namespace": resource.id.namespace},
            "spec": resource.body,
        })
    } else {
        resource.body.clone()
    };
    masking::masked(&object)
}
