//! `image-not-pinned`.

use super::repository::repository;

#[test]
fn an_image_that_changes_under_its_name_is_warned_of() {
    let repository = repository()
        .changed("components/web.yaml", "example/web:1.0", "example/web:latest")
        .adding(
            "packages/basic.yaml",
            "jobs: [{ name: migrate, stage: data, image: example/migrate }]",
        );
    insta::assert_snapshot!(repository.said(), @"
    components/web.yaml:6:10 warning image-not-pinned: `example/web:latest` may be another image tomorrow
      help: name a version or a digest: a revert then brings back what ran before
    packages/basic.yaml:19:47 warning image-not-pinned: `example/migrate` may be another image tomorrow
      help: name a version or a digest: a revert then brings back what ran before
    held: nobody; valid: acme, globex
    ");
}
