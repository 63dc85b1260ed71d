//! `placement-mismatch`.

use super::repository::repository;

#[test]
fn what_runs_on_a_cluster_says_where() {
    let repository = repository().changed(
        "packages/basic.yaml",
        "  placement:\n    templates: shop\n    namespacePrefix: shop-\n    hostname: \"{subdomain}.{domain}\"\n",
        "",
    );
    insta::assert_snapshot!(repository.said(), @"
    packages/basic.yaml:9:9 error placement-mismatch: a package that runs on a cluster says where
      help: add `placement`, with `templates` and `namespacePrefix`
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn what_does_not_run_there_has_nothing_of_it() {
    let repository =
        repository().changed("packages/basic.yaml", "runs: cluster", "runs: entitlement");
    insta::assert_snapshot!(repository.said(), @"
    packages/basic.yaml:10:3 error placement-mismatch: `placement` has no meaning for what does not run on a cluster
      help: remove it, or write `runs: cluster`
    held: acme, globex; valid: nobody
    ");
}
