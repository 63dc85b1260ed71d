//! What is in an archive, in a folder of its own. It is unpacked beside and moved there as a whole;
//! what is in it afterwards is its application's business, and is not looked at.

use crate::model::host::HostResourceId;
use crate::model::host::Kind;
use crate::model::host::kinds::Archive;
use crate::plan::host::facts::Properties;
use crate::plan::host::script::Call;

use super::Behaviour;
use super::Found;
use super::Looks;
use super::folders;
use super::id;
use super::owners;
use super::properties;

impl Behaviour for Archive {
    fn wanted(&self) -> Properties {
        properties([("kind", "directory"), ("unpacked", self.sha256.as_str())])
    }

    fn look(&self, index: usize, looks: &mut Looks) {
        looks.ask("observe_archive", index, [self.path.as_str()]);
    }

    fn apply(&self, _: &Found<'_>) -> Call {
        Call::new(
            "apply_archive",
            [
                self.path.as_str(),
                self.url.as_str(),
                self.sha256.as_str(),
                self.owner.as_str(),
                self.group.as_str(),
                &self.strip.to_string(),
            ],
        )
    }

    fn follows(&self) -> Vec<HostResourceId> {
        folders(self.path.as_str())
            .chain(owners(self.owner.as_str(), self.group.as_str()))
            .chain([id(Kind::Package, "curl")])
            .collect()
    }
}
