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
