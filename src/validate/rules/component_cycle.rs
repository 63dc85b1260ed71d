//! Components that need each other would wait for each other for ever.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;

use super::Rule;
use crate::model::Configuration;
use crate::model::Name;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::findings::Subject;
use crate::validate::view::World;

pub(super) const RULE: Rule =
    Rule::whole("component-cycle", "No component needs itself, however far around.", check);

/// How many circles are told at once.
const TOLD: usize = 20;

fn check(world: &World<'_>, findings: &mut Findings) {
    let components = &world.configuration.components;
    let mut told: HashSet<&Name> = HashSet::new();
    let mut circles = 0;
    for name in never_ready(world.configuration) {
        let Some(component) = components.get(name).filter(|_| !told.contains(name)) else {
            continue;
        };
        let Some(cycle) = cycle_through(name, world.configuration) else { continue };
        let index = component.spec.needs.iter().position(|needed| Some(&needed) == cycle.get(1));
        let around: Vec<String> =
            cycle.iter().chain([&name]).map(|name| format!("`{name}`")).collect();
        findings
            .error(
                component.at(format!("spec.needs.{}", index.unwrap_or(0))),
                format!("components need each other in a circle: {}", around.join(" needs ")),
            )
            .help("remove one of these needs")
            .holds(cycle.iter().map(|name| Subject::Component((*name).clone())));
        told.extend(cycle);
        circles += 1;
        if circles == TOLD {
            break;
        }
    }
}

/// Components that are in a circle, or need one that is.
fn never_ready(configuration: &Configuration) -> BTreeSet<&Name> {
    let components = &configuration.components;
    let mut needed_by: HashMap<&Name, Vec<&Name>> = HashMap::new();
    let mut missing: HashMap<&Name, usize> = HashMap::new();
    for (name, component) in components {
        let needs: BTreeSet<&Name> =
            component.spec.needs.iter().filter(|needed| components.contains_key(*needed)).collect();
        missing.insert(name, needs.len());
        for needed in needs {
            needed_by.entry(needed).or_default().push(name);
        }
    }
    let mut ready: Vec<&Name> =
        missing.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
    while let Some(name) = ready.pop() {
        missing.remove(name);
        for dependent in needed_by.get(name).into_iter().flatten().copied() {
            if let Some(count) = missing.get_mut(dependent) {
                *count -= 1;
                if *count == 0 {
                    ready.push(dependent);
                }
            }
        }
    }
    missing.into_keys().collect()
}

/// The shortest way from a component back to itself.
fn cycle_through<'a>(start: &'a Name, configuration: &'a Configuration) -> Option<Vec<&'a Name>> {
    let mut seen: HashSet<&Name> = HashSet::new();
    let mut ways: Vec<Vec<&Name>> = vec![vec![start]];
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            let component = way.last().and_then(|name| configuration.components.get(*name));
            for needed in component.iter().flat_map(|component| &component.spec.needs) {
                if needed == start {
                    return Some(way);
                }
                if seen.insert(needed) {
                    longer.push(way.iter().copied().chain([needed]).collect());
                }
            }
        }
        ways = longer;
    }
    None
}
