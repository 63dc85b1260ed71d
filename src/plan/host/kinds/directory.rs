//! A folder: whose it is, and who may go into it. What is in it is not looked at.

use crate::model::host::HostResourceId;
use crate::model::host::kinds::Directory;
use crate::plan::host::facts::Properties;
use crate::plan::host::script::Call;

use super::Behaviour;
use super::Found;
use super::Looks;
use super::folders;
use super::owners;
use super::properties;

impl Behaviour for Directory {
    fn wanted(&self) -> Properties {
        properties([
            ("kind", "directory"),
            ("mode", self.mode.digits()),
            ("owner", self.owner.as_str()),
            ("group", self.group.as_str()),
        ])
    }

    fn look(&self, index: usize, looks: &mut Looks) {
        looks.ask("observe_directory", index, [self.path.as_str()]);
    }

    fn apply(&self, _: &Found<'_>) -> Call {
        Call::new(
            "apply_directory",
            [self.path.as_str(), self.owner.as_str(), self.group.as_str(), self.mode.as_str()],
        )
    }

    fn follows(&self) -> Vec<HostResourceId> {
        folders(self.path.as_str())
            .chain(owners(self.owner.as_str(), self.group.as_str()))
            .collect()
    }
}
