//! Where components keep data in PostgreSQL, the package has a database and the cluster a server.

use super::Rule;
use super::unknown_storage_class::placements;
use super::unknown_storage_class::tenants_on;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "missing-database",
    "A component with a schema is in packages with a database, and those run on clusters with a server.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    for package in world.configuration.packages.values() {
        if package.spec.database.is_some() {
            continue;
        }
        for (index, part) in package.spec.components.iter().enumerate() {
            let component = world.configuration.components.get(&part.component);
            if let Some(component) =
                component.filter(|component| component.spec.database_schema.is_some())
            {
                findings
                    .error(
                        package.at(format!("spec.components.{index}.component")),
                        format!(
                            "`{}` has a database schema, and the package no database",
                            component.name
                        ),
                    )
                    .help("add `database` to the package");
            }
        }
    }
    for (cluster, offer) in placements(world) {
        if offer.package.spec.database.is_some() && cluster.spec.database_server.is_none() {
            findings
                .error(
                    cluster.at("spec"),
                    format!(
                        "the package `{}` has a database, and this cluster no server for it",
                        offer.package.name
                    ),
                )
                .help("add `databaseServer`, or place its tenants on another cluster")
                .holds(tenants_on(world, cluster, |other| {
                    other.package.name == offer.package.name
                }));
        }
    }
}
