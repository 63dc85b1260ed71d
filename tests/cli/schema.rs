//! Schemas on the terminal.

use serde_json::Value;

use crate::support::program::Program;

#[test]
fn the_schema_of_a_kind_is_printed_whatever_its_case() {
    let one = Program::with("schema subscription").run();
    let schema: Value = serde_json::from_str(&one.out).unwrap();
    assert_eq!(schema["title"], "Tenantry Subscription");
    assert_eq!(one.out, Program::with("schema Subscription").run().out);
    let any: Value = serde_json::from_str(&Program::with("schema").run().out).unwrap();
    assert_eq!(any["title"], "Tenantry");
}

#[test]
fn a_kind_that_is_none_is_told_with_the_nearest() {
    insta::assert_snapshot!(Program::with("schema Subscripton").run().shown());
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    insta::assert_snapshot!(Program::with("schema --write /dev/null/schemas").run().shown());
}

#[test]
fn all_schemas_are_written_into_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let told = Program::with("schema --write new/schemas").in_folder(folder.path()).run();
    assert_eq!((told.code, told.out.as_str()), (0, ""));
    let written = std::fs::read_to_string(folder.path().join("new/schemas/host.json")).unwrap();
    assert_eq!(written, Program::with("schema Host").run().out);
}
