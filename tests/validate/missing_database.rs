//! `missing-database`.

use super::repository::repository;

#[test]
fn a_schema_stands_in_a_database() {
    let repository = repository().adding("components/web.yaml", "databaseSchema: web");
    insta::assert_snapshot!(repository.said(), @"
    packages/basic.yaml:15:20 error missing-database: `web` has a database schema, and the package no database
      help: add `database` to the package
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn a_database_stands_on_a_server() {
    let repository = repository().adding("packages/basic.yaml", "database: { size: 1Gi }").changed("clusters/one.yaml", "  databaseServer: { host: db.databases.svc, adminSecret: { namespace: databases, name: admin } }\n", "");
    insta::assert_snapshot!(repository.said(), @"
    clusters/one.yaml:5:1 error missing-database: the package `basic` has a database, and this cluster no server for it
      help: add `databaseServer`, or place its tenants on another cluster
    held: acme, globex; valid: nobody
    ");
}
