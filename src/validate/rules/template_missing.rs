//! The templates that documents name are there.

use std::collections::BTreeSet;

use super::Rule;
use crate::model::typed::nearest;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule =
    Rule::whole("template-missing", "The templates that documents name are there.", check);

fn check(world: &World<'_>, findings: &mut Findings) {
    let folders: BTreeSet<&str> = world
        .templates
        .iter()
        .filter_map(|template| template.split_once('/'))
        .map(|(folder, _)| folder)
        .collect();
    for package in world.configuration.packages.values() {
        let Some(placement) = &package.spec.placement else { continue };
        let folder = placement.templates.as_str();
        if !folders.contains(folder) {
            findings
                .error(
                    package.at("spec.placement.templates"),
                    format!("there are no templates in `templates/{folder}/`"),
                )
                .help(suggestion(folder, folders.iter().copied()));
        }
    }
    for purchase in world.customers.iter().flat_map(|customer| &customer.subscriptions) {
        let Some(placement) = purchase.placement() else { continue };
        for task in &purchase.tasks {
            let template = format!("{}/task/{}.yaml", placement.templates, task.spec.action.word());
            if !world.templates.contains(&template) {
                findings
                    .error(task.at("spec.action"), format!("there is no template `{template}`"))
                    .help("add it under `templates/`, or remove the task");
            }
        }
    }
    for component in world.configuration.components.values() {
        let template = component.spec.template.as_str();
        if !world.templates.contains(template) {
            let known = world.templates.iter().map(String::as_str);
            findings
                .error(component.at("spec.template"), format!("there is no template `{template}`"))
                .help(suggestion(template, known.filter(|name| name.starts_with("component/"))));
        }
    }
}

fn suggestion<'a>(written: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    if let Some(near) = nearest(written, known.clone()) {
        format!("did you mean `{near}`?")
    } else {
        let known: Vec<String> = known.map(|name| format!("`{name}`")).collect();
        if known.is_empty() {
            "add it under `templates/`".to_owned()
        } else {
            format!("add it under `templates/`, or use one of {}", known.join(", "))
        }
    }
}
