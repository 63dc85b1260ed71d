//! Paths are absolute, and no two volumes are mounted in one place.

use std::collections::HashSet;

use super::Rule;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "ill-formed-path",
    "Paths of volumes and of health are absolute, and no two volumes are mounted in one place.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    for component in world.configuration.components.values() {
        if let Some(path) = &component.spec.health_path
            && !is_route(path)
        {
            findings
                .error(component.at("spec.healthPath"), format!("`{path}` is not a path"))
                .help("begin it with `/`, without spaces");
        }
        let mut mounted = HashSet::new();
        for (index, volume) in component.spec.volumes.iter().enumerate() {
            let path = volume.path.trim_end_matches('/');
            let (message, help) = if !volume.path.starts_with('/') || path.is_empty() {
                (
                    format!("`{}` is no place for a volume", volume.path),
                    "write a path from the root",
                )
            } else if path.split('/').any(|part| part == ".." || part == ".") || path.contains(':')
            {
                (
                    format!("`{}` is no place for a volume", volume.path),
                    "write the path out, without `..` and `:`",
                )
            } else if !mounted.insert(path) {
                (format!("two volumes are mounted at `{path}`"), "choose another path")
            } else {
                continue;
            };
            findings.error(component.at(format!("spec.volumes.{index}.path")), message).help(help);
        }
    }
}

/// Whether it is the path of an address.
pub(super) fn is_route(path: &str) -> bool {
    path.starts_with('/')
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'`'))
}
