//! A path of the public address leads to one component.

use std::collections::HashMap;

use super::Rule;
use super::ill_formed_path::is_route;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "route-taken",
    "A path of the public address leads to one component of a package.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    for component in world.configuration.components.values() {
        for (index, route) in component.spec.routes.iter().enumerate() {
            if !is_route(route) {
                findings
                    .error(
                        component.at(format!("spec.routes.{index}")),
                        format!("`{route}` is not a path"),
                    )
                    .help("begin it with `/`, without spaces");
            }
        }
    }
    for package in world.configuration.packages.values() {
        let mut taken = HashMap::new();
        for (index, part) in package.spec.components.iter().enumerate() {
            let Some(component) = world.configuration.components.get(&part.component) else {
                continue;
            };
            for route in &component.spec.routes {
                if let Some(other) = taken.insert(route.trim_end_matches('/'), component)
                    && other.name != component.name
                {
                    findings
                        .error(
                            package.at(format!("spec.components.{index}.component")),
                            format!(
                                "`{}` and `{}` both want `{route}`",
                                other.name, component.name
                            ),
                        )
                        .help("give one of them other `routes`")
                        .related(component.at("spec.routes"), "wanted here")
                        .related(other.at("spec.routes"), "and here");
                }
            }
        }
    }
}
