//! Names in braces are names that are filled in.

use super::Rule;
use crate::model::component::PLACEHOLDERS;
use crate::model::component::Setting;
use crate::model::typed::suggestion;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "unknown-placeholder",
    "A name in braces in an environment's value is one that is filled in.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    for component in world.configuration.components.values() {
        for (name, setting) in &component.spec.environment {
            let Setting::Value(value) = setting else { continue };
            for placeholder in placeholders(value) {
                if !PLACEHOLDERS.contains(&placeholder) {
                    findings
                        .error(
                            component.at(format!("spec.environment.{name}.value")),
                            format!("nothing is known as `{{{placeholder}}}`"),
                        )
                        .help(suggestion(placeholder, PLACEHOLDERS));
                }
            }
        }
    }
}

/// Words of a-z between braces; other braces are text.
fn placeholders(value: &str) -> impl Iterator<Item = &str> {
    value.split('{').skip(1).filter_map(|rest| {
        let (word, _) = rest.split_once('}')?;
        let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        is_word.then_some(word)
    })
}
