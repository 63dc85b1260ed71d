//! A credential that is made once, on the host, and never leaves it: whoever needs it there reads
//! the file.

use crate::model::host::HostResourceId;
use crate::model::host::kinds::GeneratedSecret;
use crate::plan::host::facts::Properties;
use crate::plan::host::script::Call;

use super::Behaviour;
use super::Found;
use super::Looks;
use super::folders;
use super::owners;
use super::properties;

impl Behaviour for GeneratedSecret {
    fn wanted(&self) -> Properties {
        properties([
            ("kind", "file"),
            ("mode", "600"),
            ("owner", self.owner.as_str()),
            ("group", self.group.as_str()),
            ("filled", "yes"),
        ])
    }

    fn look(&self, index: usize, looks: &mut Looks) {
        looks.ask("observe_generated_secret", index, [self.path.as_str()]);
    }

    fn apply(&self, _: &Found<'_>) -> Call {
        Call::new(
            "apply_generated_secret",
            [
                self.path.as_str(),
                self.owner.as_str(),
                self.group.as_str(),
                self.variable.as_ref().map_or("", |variable| variable.as_str()),
                &self.length.to_string(),
            ],
        )
    }

    fn follows(&self) -> Vec<HostResourceId> {
        folders(self.path.as_str())
            .chain(owners(self.owner.as_str(), self.group.as_str()))
            .collect()
    }

    fn is_quiet(&self) -> bool {
        true
    }
}

pub(super) fn seen(facts: &Properties) -> Properties {
    let mut seen = facts.clone();
    let filled = if facts.contains_key("empty") { "no" } else { "yes" };
    seen.insert("filled".into(), filled.into());
    seen
}
