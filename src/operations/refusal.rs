//! What a customer is told of why validation refuses a change: what is theirs in full, and of what
//! is others' no more than that it stands in the way.

use crate::edits::EditError;
use crate::model::Finding;
use crate::model::Name;
use crate::model::read::folder_of;

/// One reason, for whoever asked for the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The rule's name.
    pub rule: &'static str,
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// The reasons that a customer is told. `tenant` is whose change it is.
pub fn reasons(findings: &[Finding], tenant: &Name) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = Vec::new();
    for finding in findings {
        let reason = reason(finding, tenant);
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    reasons
}

fn reason(finding: &Finding, tenant: &Name) -> Reason {
    let own = folder_of(&finding.place.file) == Some(tenant.as_str());
    // Rules that compare tenants name the other one.
    let (message, help) = match finding.rule {
        "domain-taken" => ("the address is taken", "choose another `subdomain` or domain"),
        "foreign-namespace" => ("the name is taken", "choose another `subdomain`"),
        "capacity-exceeded" => {
            ("there is no room for this at the moment", "choose a smaller package, or ask support")
        }
        rule if own => {
            let help = finding.help.clone();
            return Reason { rule, message: finding.message.clone(), help };
        }
        _ => ("it would break what is not yours", "ask support"),
    };
    Reason { rule: finding.rule, message: message.to_owned(), help: Some(help.to_owned()) }
}

/// Why a change was not committed, in one line for whoever asked for it.
pub(super) fn in_words(error: &EditError, tenant: &Name) -> String {
    let EditError::Breaks { findings } = error else { return error.to_string() };
    let words = |reason: Reason| match reason.help {
        Some(help) => format!("{} ({help})", reason.message),
        None => reason.message,
    };
    reasons(findings, tenant).into_iter().map(words).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Place;

    fn finding(rule: &'static str, file: &str) -> Finding {
        let place = Place::file(&Arc::from(file));
        Finding::error(rule, place, "`x` leads to `school` of `globex`").help("ask globex")
    }

    #[test]
    fn nobody_is_told_who_stands_in_the_way() {
        let acme = "acme".parse().unwrap();
        let findings = [
            finding("domain-taken", "tenants/acme/school.yaml"),
            finding("domain-taken", "tenants/globex/school.yaml"),
            finding("capacity-exceeded", "tenants/globex/school.yaml"),
            finding("unknown-reference", "tenants/globex/school.yaml"),
            finding("unknown-reference", "packages/basic.yaml"),
        ];
        let told = in_words(&EditError::Breaks { findings: findings.to_vec() }, &acme);
        assert!(!told.contains("globex"), "{told}");
        assert_eq!(reasons(&findings, &acme).len(), 3);
    }

    #[test]
    fn what_is_one_s_own_is_told_as_it_is() {
        let acme = "acme".parse().unwrap();
        let own = finding("ill-formed-domain", "tenants/acme/school.yaml");
        assert_eq!(reasons(std::slice::from_ref(&own), &acme)[0].message, own.message);
    }
}
