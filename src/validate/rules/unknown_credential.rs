//! A credential that a component uses is made by some component of the package.

use std::collections::BTreeSet;

use super::Rule;
use crate::model::component::Setting;
use crate::model::typed::nearest;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::findings::Subject;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "unknown-credential",
    "A credential that a component uses is made by some component of the package.",
    check,
);

/// What comes with a database, and what comes with a cache.
const OF_DATABASES: &[&str] = &["postgres-password", "postgres-url"];
const OF_CACHES: &[&str] = &["redis-url"];

fn check(world: &World<'_>, findings: &mut Findings) {
    for offer in world.offers.values() {
        if offer.missing.is_some() {
            continue;
        }
        let parts = offer.parts.iter().map(|part| part.component);
        let package = &offer.package.spec;
        let of_database = package.database.iter().flat_map(|_| OF_DATABASES);
        let of_cache = package.cache.iter().flat_map(|_| OF_CACHES);
        let made: BTreeSet<&str> = parts
            .clone()
            .chain(offer.cache)
            .flat_map(|component| &component.spec.credentials)
            .map(|credential| credential.key.as_str())
            .chain(of_database.chain(of_cache).copied())
            .collect();
        for component in parts {
            for (name, setting) in &component.spec.environment {
                let Setting::Credential(key) = setting else { continue };
                if made.contains(key.as_str()) {
                    continue;
                }
                let package = &offer.package.name;
                let help = match nearest(key, made.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "add it to the `credentials` of one of the package's components".into(),
                };
                findings
                    .error(
                        component.at(format!("spec.environment.{name}.credential")),
                        format!("nothing in the package `{package}` makes the credential `{key}`"),
                    )
                    .help(help)
                    .holds([Subject::Package(package.clone())]);
            }
        }
    }
}
