//! `capacity-exceeded`.

use super::repository::repository;

#[test]
fn a_full_cluster_takes_no_more() {
    let repository = repository().changed("clusters/one.yaml", "cpu: 10,", "cpu: 1,");
    insta::assert_snapshot!(repository.said(), @"
    clusters/one.yaml:10:3 warning capacity-exceeded: requests for CPU add up to 1.0 of 0.6 cores, which is 153 %
      help: add a node and raise `capacity`, or place new tenants on another cluster
    tenants/globex/shop.yaml:7:12 error capacity-exceeded: this subscription does not fit on the cluster `one`
      clusters/one.yaml:10:3 all that it has
      help: place the tenant on another cluster, or raise the `capacity` of this one
    held: globex; valid: acme
    ");
}

#[test]
fn a_cluster_that_is_nearly_full_is_told_of() {
    let repository = repository().changed("clusters/one.yaml", "cpu: 10,", "cpu: 1600m,");
    insta::assert_snapshot!(repository.said(), @"
    clusters/one.yaml:10:3 warning capacity-exceeded: requests for CPU add up to 1.0 of 1.0 cores, which is 96 %
      help: add a node and raise `capacity`, or place new tenants on another cluster
    held: nobody; valid: acme, globex
    ");
}

#[test]
fn limits_count_as_well() {
    let repository = repository()
        .changed(
            "clusters/one.yaml",
            "memory: 20Gi",
            "memory: 20Gi, reserve: 0, oversubscription: 100",
        )
        .changed("components/web.yaml", "memory: 512Mi", "memory: 9Gi");
    insta::assert_snapshot!(repository.said(), @"
    clusters/one.yaml:10:3 warning capacity-exceeded: limits of memory add up to 36.0 of 20.0 GiB, which is 180 %
      help: add a node and raise `capacity`, or place new tenants on another cluster
    tenants/globex/shop.yaml:7:12 error capacity-exceeded: this subscription does not fit on the cluster `one`
      clusters/one.yaml:10:3 all that it has
      help: place the tenant on another cluster, or raise the `capacity` of this one
    held: globex; valid: acme
    ");
}

#[test]
fn volumes_need_storage() {
    let repository = repository()
        .changed("clusters/one.yaml", "memory: 20Gi", "memory: 20Gi, storage: 15Gi")
        .adding("components/web.yaml", "volumes: [{ name: data, path: /data, size: 10Gi }]");
    insta::assert_snapshot!(repository.said(), @"
    clusters/one.yaml:10:3 warning capacity-exceeded: volumes add up to 20.0 of 15.0 GiB, which is 133 %
      help: add a node and raise `capacity`, or place new tenants on another cluster
    tenants/globex/shop.yaml:7:12 error capacity-exceeded: this subscription does not fit on the cluster `one`
      clusters/one.yaml:10:3 all that it has
      help: place the tenant on another cluster, or raise the `capacity` of this one
    held: globex; valid: acme
    ");
}
