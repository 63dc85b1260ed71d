//! A package that has a component has what the component needs.

use super::Rule;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "missing-need",
    "A package that has a component has what the component needs.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    for package in world.configuration.packages.values() {
        for (index, part) in package.spec.components.iter().enumerate() {
            let Some(component) = world.configuration.components.get(&part.component) else {
                continue;
            };
            for needed in &component.spec.needs {
                let there = package.spec.components.iter().any(|part| part.component == *needed)
                    || package.spec.cache.iter().any(|cache| cache.component == *needed);
                if !there && world.configuration.components.contains_key(needed) {
                    findings
                        .error(
                            package.at(format!("spec.components.{index}.component")),
                            format!(
                                "`{}` needs `{needed}`, which is not in the package",
                                part.component
                            ),
                        )
                        .help(format!("add `{needed}` to `components`"));
                }
            }
        }
    }
}
