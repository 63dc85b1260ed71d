//! Users, groups, and the keys that let people in as a user.

use crate::model::host::HostResourceId;
use crate::model::host::Kind;
use crate::model::host::kinds::AuthorizedKey;
use crate::model::host::kinds::Group;
use crate::model::host::kinds::User;
use crate::model::host::words::Account;
use crate::plan::host::facts::Properties;
use crate::plan::host::script::Call;

use super::Behaviour;
use super::Found;
use super::Looks;
use super::id;
use super::properties;

impl Behaviour for User {
    fn wanted(&self) -> Properties {
        let mut wanted = properties([("shell", self.shell.as_str())]);
        if let Some(home) = &self.home {
            wanted.insert("home".into(), home.as_str().into());
        }
        wanted.extend(self.groups.iter().map(|group| (member(group.as_str()), "yes".into())));
        wanted
    }

    fn look(&self, index: usize, looks: &mut Looks) {
        looks.ask("observe_user", index, [self.name.as_str()]);
    }

    fn apply(&self, _: &Found<'_>) -> Call {
        let groups: Vec<&str> = self.groups.iter().map(Account::as_str).collect();
        Call::new(
            "apply_user",
            [
                self.name.as_str(),
                self.home.as_ref().map_or("", |home| home.as_str()),
                self.shell.as_str(),
                if self.system { "system" } else { "" },
                &groups.join(","),
            ],
        )
    }

    fn follows(&self) -> Vec<HostResourceId> {
        let groups = self.groups.iter().chain([&self.name]);
        groups.map(|group| id(Kind::Group, group.as_str())).collect()
    }
}

fn member(group: &str) -> Box<str> {
    format!("in {group}").into()
}

/// What is known of a user or a group: each group that it is in is a property.
pub(super) fn seen(facts: &Properties) -> Properties {
    let mut seen = facts.clone();
    let groups = seen.remove("groups").unwrap_or_default();
    seen.extend(groups.split_ascii_whitespace().map(|group| (member(group), "yes".into())));
    seen
}

impl Behaviour for Group {
    fn wanted(&self) -> Properties {
        Properties::new()
    }

    fn look(&self, index: usize, looks: &mut Looks) {
        looks.ask("observe_group", index, [self.name.as_str()]);
    }

    fn apply(&self, _: &Found<'_>) -> Call {
        Call::new("apply_group", [self.name.as_str(), if self.system { "system" } else { "" }])
    }
}

impl Behaviour for AuthorizedKey {
    fn wanted(&self) -> Properties {
        properties([("present", "yes"), ("key", self.key.blob())])
    }

    fn look(&self, index: usize, looks: &mut Looks) {
        looks.ask("observe_authorized_key", index, [self.user.as_str(), self.key.blob()]);
    }

    fn apply(&self, _: &Found<'_>) -> Call {
        let line = self.key.as_str();
        Call::new("apply_authorized_key", [self.user.as_str(), self.key.blob(), line])
    }

    fn follows(&self) -> Vec<HostResourceId> {
        vec![id(Kind::User, self.user.as_str())]
    }

    /// It was found by the key itself.
    fn fits(&self, property: &str, wanted: &str, seen: Option<&str>) -> bool {
        property == "key" || seen == Some(wanted)
    }
}
