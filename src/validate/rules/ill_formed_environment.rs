//! Names of environment variables are what every shell and program can read.

use super::Rule;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "ill-formed-environment",
    "Names of environment variables have letters, digits and `_`; keys of credentials, a-z, 0-9 and `-`.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    for component in world.configuration.components.values() {
        for name in component.spec.environment.keys() {
            let fits = !name.is_empty()
                && !name.starts_with(|first: char| first.is_ascii_digit())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !fits {
                findings
                    .error(
                        component.at(format!("spec.environment.{name}")),
                        format!("`{name}` is not the name of an environment variable"),
                    )
                    .help("use letters, digits and `_`, and no digit first");
            }
        }
        for (index, credential) in component.spec.credentials.iter().enumerate() {
            let key = &credential.key;
            let fits = !key.is_empty()
                && key.len() <= 63
                && key
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
            if !fits {
                findings
                    .error(
                        component.at(format!("spec.credentials.{index}.key")),
                        format!("`{key}` is not the key of a credential"),
                    )
                    .help("use 1 to 63 of a-z, 0-9 and `-`");
            }
            if credential.length < 16 {
                findings
                    .error(
                        component.at(format!("spec.credentials.{index}.length")),
                        format!("a credential of {} characters can be guessed", credential.length),
                    )
                    .help("use at least 16; without `length` it has 32");
            }
        }
    }
}
