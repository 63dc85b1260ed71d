//! `unsupported-version`.

use super::repository::repository;

#[test]
fn there_are_templates_for_the_version() {
    let repository = repository().changed("clusters/one.yaml", "1.33", "1.19");
    insta::assert_snapshot!(repository.said(), @"
    clusters/one.yaml:7:22 error unsupported-version: there are no templates for Kubernetes 1.19
      help: there are some for 1.20 to 1.37
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn a_version_is_a_text() {
    let repository = repository().changed("clusters/one.yaml", "\"1.33\"", "latest");
    insta::assert_snapshot!(repository.said(), @r#"
    clusters/one.yaml:7:22 error unsupported-version: `latest` is not a version of Kubernetes
      help: write the two first numbers in quotes, such as `"1.33"`
    held: acme, globex; valid: nobody
    "#);
}
