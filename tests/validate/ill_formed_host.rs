//! `ill-formed-host`.

use super::repository::document;
use super::repository::repository;

#[test]
fn a_host_can_be_reached_and_known() {
    let repository = repository().with("tenants/acme/host.yaml", &document("Host", "h1", "tenant: acme\naddress: \"203.0.113.1:22\"\nuser: Root!\nhostKeys: [AAAA]\nroles: [kkt]\nmaintenance: { days: [saturday], from: \"2:00\", to: \"05:00\", timeZone: Europe/Moscow }\n"));
    insta::assert_snapshot!(repository.said(), @r#"
    tenants/acme/host.yaml:7:12 error ill-formed-host: `203.0.113.1:22` is neither an address nor a name
      help: write an IP address or a domain, without a port
    tenants/acme/host.yaml:8:9 error ill-formed-host: `Root!` is not a user
      help: use 1 to 32 of a-z, 0-9, `_` and `-`
    tenants/acme/host.yaml:9:14 error ill-formed-host: this is not a public key of a host
      help: write its type and the key, such as `ssh-ed25519 AAAA…`, without the name
    tenants/acme/host.yaml:11:25 error ill-formed-host: `saturday` is not a day
      help: use mon, tue, wed, thu, fri, sat, sun
    tenants/acme/host.yaml:11:42 error ill-formed-host: `2:00` is not a time of day
      help: write hours and minutes in quotes, such as `"02:00"`
    held: host/h1; valid: acme, globex
    "#);
}
