//! `missing-port`.

use super::repository::repository;

#[test]
fn what_has_routes_listens() {
    let repository = repository().changed("components/web.yaml", "  port: 8080\n", "");
    insta::assert_snapshot!(repository.said(), @"
    components/web.yaml:7:3 error missing-port: routes lead to no port
      help: add the `port` it listens on
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn nothing_listens_on_port_zero() {
    let repository = repository().changed("components/web.yaml", "8080", "0");
    insta::assert_snapshot!(repository.said(), @"
    components/web.yaml:7:9 error missing-port: nothing listens on port 0
      help: add the `port` it listens on
    held: acme, globex; valid: nobody
    ");
}
