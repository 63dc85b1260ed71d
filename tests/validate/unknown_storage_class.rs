//! `unknown-storage-class`.

use super::repository::repository;

#[test]
fn a_cluster_knows_the_class() {
    let repository = repository().adding(
        "components/web.yaml",
        "volumes: [{ name: data, path: /data, size: 1Gi, storageClass: sdd }]",
    );
    insta::assert_snapshot!(repository.said(), @"
    components/web.yaml:12:65 error unknown-storage-class: the cluster `one` has no class of storage `sdd`
      clusters/one.yaml:9:3 those it has
      help: did you mean `ssd`?
    held: acme, globex; valid: nobody
    ");
}
