//! What a cluster answers against what its document says. Pure: the answer comes in.
//!
//! Rendering never asks a live server. So that its choice of API versions is not a guess that
//! nobody checks, a document that is wrong about its cluster is a finding.

use std::collections::BTreeSet;

use crate::model::Cluster;
use crate::model::Document;
use crate::model::Finding;
use crate::model::Place;
use crate::model::cluster::KNOWN_MINORS;

/// The field of a `Cluster` document that the findings point at.
pub const FIELD: &str = "spec.kubernetesVersion";

/// A kind, and the API version that rendering chose for it, such as `batch/v1` and `CronJob`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chosen {
    pub api_version: Box<str>,
    pub kind: Box<str>,
}

/// What a cluster says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The Kubernetes version that runs there, such as `1.33`.
    pub version: String,
    /// What rendering chose and the cluster does not serve.
    pub not_served: BTreeSet<Chosen>,
}

/// Compares a document with the cluster's own answer. `place` is where [`FIELD`] stands.
pub fn check(document: &Document<Cluster>, place: &Place, answer: &Answer) -> Vec<Finding> {
    let (name, says, runs) = (&document.name, &document.spec.kubernetes_version, &answer.version);
    let mut findings = Vec::new();
    let differs = says != runs;
    let known = runs.strip_prefix("1.").and_then(|minor| minor.parse().ok());
    let has_templates = known.is_some_and(|minor| KNOWN_MINORS.contains(&minor));
    if differs {
        let message =
            format!("the cluster `{name}` runs Kubernetes {runs}, and `{says}` is written");
        let help = if has_templates {
            format!("write `kubernetesVersion: \"{runs}\"`: templates choose API versions by it")
        } else {
            let (first, last) = (KNOWN_MINORS.start(), KNOWN_MINORS.end());
            format!(
                "bring the cluster to a version that there are templates for: 1.{first} to 1.{last}"
            )
        };
        findings.push(Finding::warning("version-differs", place.clone(), message).help(help));
    }
    for Chosen { api_version, kind } in &answer.not_served {
        let message = format!(
            "the cluster `{name}` does not serve `{kind}` of `{api_version}`, and tenants are \
             rendered with it: they cannot converge"
        );
        let help = if differs && has_templates {
            format!("write `kubernetesVersion: \"{runs}\"`, or upgrade the cluster to {says}")
        } else {
            "install what serves it, or choose another in the templates".to_owned()
        };
        findings.push(Finding::error("version-not-served", place.clone(), message).help(help));
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Commit;
    use crate::model::Configuration;
    use crate::model::Snapshot;
    use crate::model::read::read_file;

    const DOCUMENT: &str = "apiVersion: tenantry.dev/v1\nkind: Cluster\nmetadata: { name: main }\nspec:\n  \
        kubeconfigSecret: k\n  kubernetesVersion: \"1.33\"\n  ingress: { class: traefik, namespace: kube-system }\n";

    fn told(version: &str, not_served: &[(&str, &str)]) -> Vec<String> {
        let files = [("clusters/main.yaml".to_owned(), DOCUMENT.to_owned())];
        let snapshot = Snapshot::of(Commit::new("1"), files);
        let read = snapshot.document_files().map(|file| Arc::new(read_file(file)));
        let configuration = Configuration::of(read.collect());
        let document = configuration.clusters.values().next().expect("it is a cluster");
        let place = document.origin.locate(&snapshot, FIELD);
        let chosen = |(api_version, kind): &(&str, &str)| Chosen {
            api_version: (*api_version).into(),
            kind: (*kind).into(),
        };
        let answer =
            Answer { version: version.into(), not_served: not_served.iter().map(chosen).collect() };
        let said = |finding: Finding| {
            format!(
                "{} {}: {}; {}",
                finding.place,
                finding.rule,
                finding.message,
                finding.help.unwrap_or_default()
            )
        };
        check(document, &place, &answer).into_iter().map(said).collect()
    }

    #[test]
    fn a_cluster_that_is_what_its_document_says_is_no_finding() {
        assert_eq!(told("1.33", &[]), [""; 0]);
    }

    #[test]
    fn another_version_and_what_it_does_not_serve_are_told_with_the_line_and_the_fix() {
        assert_eq!(
            told("1.20", &[("batch/v1", "CronJob")]),
            [
                "clusters/main.yaml:6:22 version-differs: the cluster `main` runs Kubernetes 1.20, and `1.33` is \
                 written; write `kubernetesVersion: \"1.20\"`: templates choose API versions by it",
                "clusters/main.yaml:6:22 version-not-served: the cluster `main` does not serve `CronJob` of `batch/v1`, \
                 and tenants are rendered with it: they cannot converge; write `kubernetesVersion: \"1.20\"`, or \
                 upgrade the cluster to 1.33",
            ]
        );
    }

    #[test]
    fn a_version_without_templates_cannot_be_written() {
        assert!(told("1.99", &[])[0].ends_with("that there are templates for: 1.20 to 1.37"));
    }

    #[test]
    fn what_is_not_served_at_the_right_version_is_somebodys_own() {
        let told = told("1.33", &[("example.com/v1", "Widget")]);
        assert!(told[0].ends_with("; install what serves it, or choose another in the templates"));
    }
}
