//! `component-cycle`.

use super::repository::document;
use super::repository::repository;

#[test]
fn components_do_not_wait_for_each_other() {
    let repository = repository()
        .adding("components/web.yaml", "needs: [a]")
        .with(
            "components/a.yaml",
            &document("Component", "a", "image: a:1\nresources: {}\nneeds: [b]\n"),
        )
        .with(
            "components/b.yaml",
            &document("Component", "b", "image: b:1\nresources: {}\nneeds: [web]\n"),
        )
        .changed(
            "packages/basic.yaml",
            "  quota:",
            "    - component: a\n    - component: b\n  quota:",
        );
    insta::assert_snapshot!(repository.said(), @"
    components/a.yaml:8:11 error component-cycle: components need each other in a circle: `a` needs `b` needs `web` needs `a`
      help: remove one of these needs
    held: acme, globex; valid: nobody
    ");
}
