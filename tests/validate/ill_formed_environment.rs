//! `ill-formed-environment`.

use super::repository::repository;

#[test]
fn names_can_be_read_by_programs() {
    let repository = repository().adding("components/web.yaml", "environment: { 2FAST: { value: a }, a-b: { value: a }, fine_name: { value: a } }\ncredentials: [{ key: A_KEY }, { key: short, length: 8 }]");
    insta::assert_snapshot!(repository.said(), @"
    components/web.yaml:12:18 error ill-formed-environment: `2FAST` is not the name of an environment variable
      help: use letters, digits and `_`, and no digit first
    components/web.yaml:12:39 error ill-formed-environment: `a-b` is not the name of an environment variable
      help: use letters, digits and `_`, and no digit first
    components/web.yaml:13:24 error ill-formed-environment: `A_KEY` is not the key of a credential
      help: use 1 to 63 of a-z, 0-9 and `-`
    components/web.yaml:13:55 error ill-formed-environment: a credential of 8 characters can be guessed
      help: use at least 16; without `length` it has 32
    held: acme, globex; valid: nobody
    ");
}
