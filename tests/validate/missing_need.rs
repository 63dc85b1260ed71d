//! `missing-need`.

use super::repository::document;
use super::repository::repository;

#[test]
fn a_package_has_what_its_components_need() {
    let repository = repository()
        .adding("components/web.yaml", "needs: [a]")
        .with("components/a.yaml", &document("Component", "a", "image: a:1\nresources: {}\n"));
    insta::assert_snapshot!(repository.said(), @"
    packages/basic.yaml:15:20 error missing-need: `web` needs `a`, which is not in the package
      help: add `a` to `components`
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn what_is_needed_comes_first() {
    let repository = repository()
        .adding("components/web.yaml", "needs: [b, a]")
        .with(
            "components/a.yaml",
            &document("Component", "a", "image: a:1\nresources: {}\nneeds: [b]\n"),
        )
        .with("components/b.yaml", &document("Component", "b", "image: b:1\nresources: {}\n"))
        .changed(
            "packages/basic.yaml",
            "  quota:",
            "    - component: a\n    - component: b\n  quota:",
        );
    let checked = repository.checked();
    assert_eq!(checked.findings, []);
    let acme = &checked.valid[&"acme".parse().unwrap()];
    let components = &acme.namespaces[0].subscriptions[0].components;
    let order: Vec<&str> = components.iter().map(|one| one.document.name.as_str()).collect();
    assert_eq!(order, ["b", "a", "web"]);
}
