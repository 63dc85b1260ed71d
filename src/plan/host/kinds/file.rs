//! A regular file: its text, whose it is, and who may read it.

use crate::model::host::HostResourceId;
use crate::model::host::kinds::File;
use crate::plan::diff;
use crate::plan::host::facts::Properties;
use crate::plan::host::inventory::sum;
use crate::plan::host::script::Call;
use crate::plan::host::step::HostDifference;
use crate::plan::masking;

use super::Behaviour;
use super::Found;
use super::Looks;
use super::folders;
use super::owners;
use super::properties;

fn text(file: &File) -> &str {
    file.content.as_ref().map_or("", |content| content.reveal())
}

impl Behaviour for File {
    fn wanted(&self) -> Properties {
        properties([
            ("kind", "file"),
            ("mode", self.mode.digits()),
            ("owner", self.owner.as_str()),
            ("group", self.group.as_str()),
            ("sha256", &sum(text(self))),
        ])
    }

    fn look(&self, index: usize, looks: &mut Looks) {
        let show = if self.sensitive { "hide" } else { "show" };
        looks.ask("observe_file", index, [self.path.as_str(), &sum(text(self)), show]);
    }

    fn apply(&self, found: &Found<'_>) -> Call {
        let kind = found.facts.get("kind").map_or("absent", |kind| kind);
        let before = match found.facts.get("sha256") {
            _ if found.adopt => "any",
            Some(sum) => sum,
            None => kind,
        };
        let keep = if found.drifted || (found.adopt && kind != "absent") { "keep" } else { "drop" };
        Call::new(
            "apply_file",
            [
                self.path.as_str(),
                self.owner.as_str(),
                self.group.as_str(),
                self.mode.as_str(),
                before,
                keep,
                text(self),
            ],
        )
    }

    fn follows(&self) -> Vec<HostResourceId> {
        folders(self.path.as_str())
            .chain(owners(self.owner.as_str(), self.group.as_str()))
            .collect()
    }

    fn told(
        &self,
        property: &str,
        wanted: &str,
        seen: Option<&str>,
        facts: &Properties,
    ) -> HostDifference {
        match (property, seen, facts.get("text")) {
            ("sha256", _, _) if self.sensitive => HostDifference::hidden("text"),
            ("sha256", None, _) => {
                HostDifference::lines("text", diff::lines("", &masking::mask_text(text(self))))
            }
            ("sha256", Some(_), Some(before)) => HostDifference::lines(
                "text",
                diff::lines(&masking::mask_text(before), &masking::mask_text(text(self))),
            ),
            ("sha256", Some(_), None) => HostDifference::hidden("text"),
            _ => HostDifference::changed(property, seen, wanted),
        }
    }

    fn is_quiet(&self) -> bool {
        self.sensitive
    }
}
