//! What an earlier check spares the next one: most commits touch one tenant.

use std::collections::BTreeSet;

use super::Checked;
use crate::model::Configuration;
use crate::model::Name;

/// An earlier check, and the configuration that it looked at.
#[derive(Clone, Copy)]
pub struct Earlier<'a> {
    pub configuration: &'a Configuration,
    pub checked: &'a Checked,
}

/// The tenants whose documents are not all the very same in two configurations; none where
/// something differs that any tenant may depend on: what serves everybody, or what cannot be read.
pub(super) fn touched(before: &Configuration, now: &Configuration) -> Option<BTreeSet<Name>> {
    let mut tenants = BTreeSet::new();
    for file in before.files_that_differ(now) {
        if !file.findings.is_empty() {
            return None;
        }
        for document in &file.documents {
            tenants.insert(document.tenant()?.clone());
        }
    }
    Some(tenants)
}
