//! Schemas and extensions have names that PostgreSQL takes without quotes.

use super::Rule;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "ill-formed-database-name",
    "Schemas have 1 to 63 of a-z, 0-9 and `_`, and none of PostgreSQL's own names.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    for component in world.configuration.components.values() {
        if let Some(schema) = &component.spec.database_schema {
            let (message, help) = if !is_identifier(schema, "_") {
                (
                    format!("`{schema}` is not the name of a schema"),
                    "use 1 to 63 of a-z, 0-9 and `_`, and no digit first",
                )
            } else if schema.starts_with("pg_")
                || schema == "public"
                || schema == "information_schema"
            {
                (format!("the schema `{schema}` is PostgreSQL's own"), "choose another name")
            } else {
                continue;
            };
            findings.error(component.at("spec.databaseSchema"), message).help(help);
        }
    }
    for package in world.configuration.packages.values() {
        let Some(database) = &package.spec.database else { continue };
        for (index, extension) in database.extensions.iter().enumerate() {
            if !is_identifier(extension, "_-") {
                findings
                    .error(
                        package.at(format!("spec.database.extensions.{index}")),
                        format!("`{extension}` is not the name of an extension"),
                    )
                    .help("write it as `create extension` has it, such as `uuid-ossp`");
            }
        }
    }
}

fn is_identifier(name: &str, also: &str) -> bool {
    (1..=63).contains(&name.len())
        && !name.starts_with(|first: char| first.is_ascii_digit() || first == '-')
        && name
            .chars()
            .all(|next| next.is_ascii_lowercase() || next.is_ascii_digit() || also.contains(next))
}
