//! `ill-formed-colour`.

use super::repository::repository;

#[test]
fn a_colour_is_written_in_hexadecimal() {
    let repository = repository().adding(
        "tenants/acme/tenant.yaml",
        "branding: { primaryColor: blue, secondaryColor: \"#10B981\" }",
    );
    insta::assert_snapshot!(repository.said(), @r##"
    tenants/acme/tenant.yaml:10:29 error ill-formed-colour: `blue` is not a colour
      help: write it in quotes, such as `"#3B82F6"`
    held: acme; valid: globex
    "##);
}
