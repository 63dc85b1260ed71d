//! `unknown-placeholder`.

use std::sync::Arc;

use tenantry::model::Configuration;
use tenantry::model::component::PLACEHOLDERS;
use tenantry::model::read;
use tenantry::render::Templates;
use tenantry::render::render;
use tenantry::validate::check;

use super::repository::repository;
use crate::support::example;

#[test]
fn names_in_braces_are_filled_in() {
    let repository = repository().adding(
        "components/web.yaml",
        "environment:\n  A: { value: \"https://{hots}/{host}/{0}\" }",
    );
    insta::assert_snapshot!(repository.said(), @"
    components/web.yaml:13:17 error unknown-placeholder: nothing is known as `{hots}`
      help: did you mean `host`?
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn every_name_that_is_allowed_is_filled_in() {
    let all = PLACEHOLDERS.join("} {");
    let mut snapshot = example::snapshot();
    let path = "components/n8n.yaml";
    let text =
        snapshot.text(path).unwrap().replace("value: https }", &format!("value: \"{{{all}}}\" }}"));
    let file = tenantry::model::snapshot::File::new(path.into(), text.as_bytes().into());
    snapshot.files.insert(path.into(), file);
    let files = snapshot.document_files().map(|file| Arc::new(read::read_file(file))).collect();
    let templates = Templates::built_in();
    let checked = check(&Configuration::of(files), &snapshot, &templates.names());
    assert_eq!(checked.findings, []);
    let budi = &checked.valid[&"budi".parse().unwrap()];
    let rendering = render(budi, &templates, "2026-11-21T00:00:00Z".parse().unwrap()).unwrap();
    let bodies: Vec<String> =
        rendering.rendered.resources.iter().map(|resource| resource.body.to_string()).collect();
    assert!(
        bodies.iter().any(|body| body.contains("budi.n8n.pods.example pods.example budi budi"))
    );
}
