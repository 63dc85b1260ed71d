//! A package of Debian, at a version where one is asked for.

use crate::model::host::kinds::Package;
use crate::plan::host::facts::Properties;
use crate::plan::host::script::Call;

use super::Behaviour;
use super::Found;
use super::Looks;
use super::properties;

impl Behaviour for Package {
    fn wanted(&self) -> Properties {
        let mut wanted = properties([("installed", "yes")]);
        if let Some(version) = &self.version {
            wanted.insert("version".into(), version.as_str().into());
        }
        wanted
    }

    fn look(&self, index: usize, looks: &mut Looks) {
        looks.packages.extend([index.to_string(), self.name.to_string()]);
    }

    fn apply(&self, _: &Found<'_>) -> Call {
        let version = self.version.as_ref().map_or("", |version| version.as_str());
        Call::new("apply_package", [self.name.as_str(), version])
    }
}

/// `ii` is installed; `rc` has left its configuration behind, and anything else is half done.
pub(super) fn seen(facts: &Properties) -> Option<Properties> {
    let status = facts.get("status").map_or("", |status| status);
    if status.is_empty() || status.starts_with("un") || status.starts_with("rc") {
        return None;
    }
    // `hi` is held at its version, which is installed as well.
    let installed = if status.ends_with('i') && status.len() == 2 { "yes" } else { "half" };
    let mut seen = properties([("installed", installed)]);
    seen.extend(facts.get_key_value("version").map(|(name, value)| (name.clone(), value.clone())));
    Some(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_there_when_dpkg_is_done_with_it() {
        let installed = |status: &str| {
            let seen = seen(&properties([("status", status), ("version", "1.2")]));
            seen.map(|seen| seen["installed"].to_string())
        };
        assert_eq!(installed("ii").as_deref(), Some("yes"));
        assert_eq!(installed("hi").as_deref(), Some("yes"));
        assert_eq!(installed("iF").as_deref(), Some("half"));
        assert_eq!(installed("iU").as_deref(), Some("half"));
        assert_eq!(installed("rc"), None);
        assert_eq!(installed("un"), None);
    }
}
