//! `route-taken`.

use super::repository::document;
use super::repository::repository;

#[test]
fn a_path_leads_to_one_component() {
    let repository = repository()
        .with(
            "components/a.yaml",
            &document("Component", "a", "image: a:1\nport: 80\nresources: {}\nroutes: [/]\n"),
        )
        .changed("packages/basic.yaml", "  quota:", "    - component: a\n  quota:");
    insta::assert_snapshot!(repository.said(), @"
    packages/basic.yaml:16:18 error route-taken: `web` and `a` both want `/`
      components/a.yaml:9:3 wanted here
      components/web.yaml:8:3 and here
      help: give one of them other `routes`
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn a_route_begins_with_a_slash() {
    let repository = repository().changed("components/web.yaml", "routes: [/]", "routes: [/, api]");
    insta::assert_snapshot!(repository.said(), @"
    components/web.yaml:8:15 error route-taken: `api` is not a path
      help: begin it with `/`, without spaces
    held: acme, globex; valid: nobody
    ");
}
