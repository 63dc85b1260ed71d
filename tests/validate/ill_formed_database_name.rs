//! `ill-formed-database-name`.

use super::repository::repository;

#[test]
fn names_need_no_quotes() {
    let repository = repository().adding("components/web.yaml", "databaseSchema: Web-1").adding(
        "packages/basic.yaml",
        "database: { size: 1Gi, extensions: [pg_trgm, \"x; drop\"] }",
    );
    insta::assert_snapshot!(repository.said(), @"
    components/web.yaml:12:19 error ill-formed-database-name: `Web-1` is not the name of a schema
      help: use 1 to 63 of a-z, 0-9 and `_`, and no digit first
    packages/basic.yaml:19:48 error ill-formed-database-name: `x; drop` is not the name of an extension
      help: write it as `create extension` has it, such as `uuid-ossp`
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn names_of_postgresql_are_its_own() {
    let repository = repository()
        .adding("components/web.yaml", "databaseSchema: pg_web")
        .adding("packages/basic.yaml", "database: { size: 1Gi }");
    insta::assert_snapshot!(repository.said(), @"
    components/web.yaml:12:19 error ill-formed-database-name: the schema `pg_web` is PostgreSQL's own
      help: choose another name
    held: acme, globex; valid: nobody
    ");
}
