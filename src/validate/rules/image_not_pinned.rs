//! An image that changes under its name cannot be rolled back to, and nobody sees it change.

use super::Rule;
use crate::validate::findings::At;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule =
    Rule::whole("image-not-pinned", "Images have a tag other than `latest`, or a digest.", check);

fn check(world: &World<'_>, findings: &mut Findings) {
    for_each_image(world, |image, at| {
        let last = image.rsplit('/').next().unwrap_or(image);
        let tag = last.split_once(':').map(|(_, tag)| tag);
        if !last.contains('@') && tag.is_none_or(|tag| tag == "latest") {
            findings
                .warning(at(), format!("`{image}` may be another image tomorrow"))
                .help("name a version or a digest: a revert then brings back what ran before");
        }
    });
}

/// Every image of the catalog.
pub(super) fn for_each_image(world: &World<'_>, mut look: impl FnMut(&str, &dyn Fn() -> At)) {
    for component in world.configuration.components.values() {
        look(&component.spec.image, &|| component.at("spec.image"));
    }
    for package in world.configuration.packages.values() {
        for (index, job) in package.spec.jobs.iter().enumerate() {
            look(&job.image, &|| package.at(format!("spec.jobs.{index}.image")));
        }
        if let Some(backup) = &package.spec.backup {
            look(&backup.image, &|| package.at("spec.backup.image"));
        }
    }
}
