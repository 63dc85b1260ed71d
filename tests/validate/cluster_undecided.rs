//! `cluster-undecided`.

use super::repository::document;
use super::repository::repository;

#[test]
fn a_tenant_chooses_among_several_clusters() {
    let repository = repository().with("clusters/two.yaml", &document("Cluster", "two", "kubeconfigSecret: two\nkubernetesVersion: \"1.33\"\ningress: { class: nginx, namespace: ingress-nginx }\n")).adding("tenants/globex/tenant.yaml", "cluster: one");
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/tenant.yaml:5:1 error cluster-undecided: the tenant does not say which cluster it runs on
      help: add `cluster`: one of `one`, `two`
    held: acme; valid: globex
    ");
}

#[test]
fn without_a_cluster_nothing_runs() {
    let repository = repository().without("clusters/one.yaml");
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/tenant.yaml:5:1 error cluster-undecided: there is no cluster for this tenant to run on
      help: add a document of the kind `Cluster`
    tenants/globex/tenant.yaml:5:1 error cluster-undecided: there is no cluster for this tenant to run on
      help: add a document of the kind `Cluster`
    held: acme, globex; valid: nobody
    ");
}
