//! `unknown-reference`.

use super::repository::document;
use super::repository::repository;

#[test]
fn a_package_that_is_not_there_holds_who_bought_it() {
    let repository =
        repository().changed("tenants/acme/shop.yaml", "package: basic", "package: basix");
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/shop.yaml:7:12 error unknown-reference: there is no package `basix`
      help: did you mean `basic`?
    held: acme; valid: globex
    ");
}

#[test]
fn a_component_that_is_not_there_holds_all_who_would_run_it() {
    let repository =
        repository().changed("packages/basic.yaml", "component: web", "component: wbe");
    insta::assert_snapshot!(repository.said(), @"
    packages/basic.yaml:15:20 error unknown-reference: there is no component `wbe`
      help: did you mean `web`?
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn a_subscription_without_its_tenant_is_held_and_not_gone() {
    let repository = repository().without("tenants/acme/tenant.yaml");
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/shop.yaml:6:11 error unknown-reference: there is no tenant `acme`
      help: add a document of the kind `Tenant` with this name
    held: acme; valid: globex
    ");
}

#[test]
fn a_cluster_that_is_not_there() {
    let repository = repository().adding("tenants/acme/tenant.yaml", "cluster: two");
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/tenant.yaml:10:12 error unknown-reference: there is no cluster `two`
      help: add a document of the kind `Cluster` with this name
    held: acme; valid: globex
    ");
}

#[test]
fn what_a_subscription_names_is_in_its_package() {
    let repository = repository().adding(
        "tenants/acme/shop.yaml",
        "addOns: { disk: 1 }\noverrides: { components: { wbe: { replicas: 1 } } }",
    );
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/shop.yaml:9:19 error unknown-reference: the package `basic` has no add-on `disk`
      help: remove it, or add it to the package
    tenants/acme/shop.yaml:10:30 error unknown-reference: the package `basic` has no component `wbe`
      help: did you mean `web`?
    held: acme; valid: globex
    ");
}

#[test]
fn a_broken_package_is_told_once_and_not_by_everybody_who_bought_it() {
    let repository = repository().changed("packages/basic.yaml", "runs: cluster", "runs: claster");
    insta::assert_snapshot!(repository.said(), @"
    packages/basic.yaml:9:9 error unknown-value: `claster` is not known here
      help: did you mean `cluster`?
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn a_text_that_is_no_yaml_is_told_once_and_not_by_everybody_who_refers_to_it() {
    let repository = repository().changed("packages/basic.yaml", "quota:", "quota: [");
    insta::assert_snapshot!(repository.said(), @"
    packages/basic.yaml:18:9 error unreadable-yaml: while parsing a flow mapping, did not find expected ',' or '}'
      help: check the indentation, the colons and the quotes around here
    held: acme, globex; valid: nobody; absence proves nothing
    ");
}

#[test]
fn a_host_and_a_task_refer_to_what_is_there() {
    let repository = repository().with("tenants/acme/host.yaml", &document("Host", "h1", "tenant: acme\naddress: 203.0.113.1\nhostKeys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtk0LOlateGOF9Z6QNlbLobkXbumZZ+A9ZV3CCKdxl8]\nroles: [kkt]\nchannel: stable\n")).with("tenants/acme/task.yaml", &document("Task", "t1", "tenant: acme\nsubscription: shpo\naction: backup\nasked: 2026-11-20T09:00:00Z\n"));
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/host.yaml:10:12 error unknown-reference: there is no channel `stable`
      help: add a document of the kind `Channel` with this name
    tenants/acme/task.yaml:7:17 error unknown-reference: there is no subscription `shpo`
      help: did you mean `shop`?
    held: acme, host/h1; valid: globex
    ");
}
