//! Help, mistakes on the command line, and completions.

use serde_json::Value;

use crate::support::program::Program;

#[test]
fn help_is_told_to_whoever_asks() {
    insta::assert_snapshot!(Program::with("--help").run().shown());
}

#[test]
fn without_a_command_there_is_help_and_an_error() {
    let told = Program::with("").run();
    assert_eq!(told.code, 1);
    assert_eq!(told.err, Program::with("--help").run().out);
}

#[test]
fn a_mistake_on_the_command_line_is_an_error_and_not_a_change() {
    insta::assert_snapshot!(Program::with("plain").run().shown());
}

#[test]
fn a_filter_that_cannot_be_read_is_told_with_an_example() {
    insta::assert_snapshot!(Program::with("completions bash --log a=b=c").run().shown());
}

#[test]
fn machines_are_told_of_a_failure_in_their_own_language() {
    let told = Program::with("render acne --dir tenants-example --output json").here().run();
    assert_eq!(told.code, 1);
    let said: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(said["error"]["message"], "there is no tenant `acne`");
    assert_eq!(said["error"]["help"], "did you mean `acme`?");
    assert!(told.err.starts_with("error: there is no tenant `acne`"), "{}", told.err);
}

#[test]
fn machines_are_told_of_a_mistake_on_the_command_line_too() {
    for asked in ["--output json", "-o json", "--output=json", "-ojson"] {
        let told = Program::with(&format!("plan --nothing {asked}")).run();
        assert_eq!(told.code, 1);
        let said: Value = serde_json::from_str(&told.out).unwrap();
        assert_eq!(said["error"]["message"], "unexpected argument '--nothing' found", "{asked}");
        assert!(told.err.contains("Usage: tenantry plan"), "{}", told.err);
    }
    assert_eq!(Program::with("plan --nothing").run().out, "");
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let told = Program::with(&format!("completions {shell}")).run();
        assert_eq!((told.code, told.err.as_str()), (0, ""));
        assert!(told.out.contains("completions"), "{shell}");
    }
}
