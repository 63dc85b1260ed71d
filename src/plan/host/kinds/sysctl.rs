//! A setting of the kernel: as it is now, and as it will be when the machine starts again.

use crate::model::host::kinds::Sysctl;
use crate::plan::host::facts::Properties;
use crate::plan::host::script::Call;

use super::Behaviour;
use super::Found;
use super::Looks;
use super::properties;

fn text(sysctl: &Sysctl) -> String {
    format!("{} = {}\n", sysctl.key, sysctl.value)
}

impl Behaviour for Sysctl {
    fn wanted(&self) -> Properties {
        let text = text(self);
        properties([("running", &words(self.value.as_str())), ("written", text.trim_end())])
    }

    fn look(&self, index: usize, looks: &mut Looks) {
        looks.ask("observe_sysctl", index, [self.key.as_str()]);
    }

    fn apply(&self, _: &Found<'_>) -> Call {
        Call::new("apply_sysctl", [self.key.as_str(), self.value.as_str(), &text(self)])
    }
}

/// The kernel separates words with tabs, and people with spaces.
fn words(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// The kernel's setting is always there: ours is the file.
pub(super) fn seen(facts: &Properties) -> Properties {
    let mut seen = Properties::new();
    if let Some(running) = facts.get("running") {
        seen.insert("running".into(), words(running).into());
    }
    if let Some(written) = facts.get("written") {
        seen.insert("written".into(), written.trim_end().into());
    }
    seen
}
