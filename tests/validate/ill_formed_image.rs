//! `ill-formed-image`.

use super::repository::repository;

#[test]
fn images_have_names_of_images() {
    let repository =
        repository().changed("components/web.yaml", "example/web:1.0", "Example/web:1.0").adding(
            "tenants/acme/shop.yaml",
            "overrides: { components: { web: { image: \"web 2\" } } }",
        );
    insta::assert_snapshot!(repository.said(), @"
    components/web.yaml:6:10 error ill-formed-image: `Example/web:1.0` is not the name of an image
      help: write it such as `ghcr.io/owner/name:1.2.3`
    tenants/acme/shop.yaml:9:44 error ill-formed-image: `web 2` is not the name of an image
      help: write it such as `ghcr.io/owner/name:1.2.3`
    held: acme, globex; valid: nobody
    ");
}
