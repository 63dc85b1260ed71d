//! `ill-formed-path`.

use super::repository::repository;

#[test]
fn paths_are_absolute_and_volumes_apart() {
    let repository = repository().adding("components/web.yaml", "healthPath: health\nvolumes:\n  - { name: a, path: data, size: 1Gi }\n  - { name: b, path: /data, size: 1Gi }\n  - { name: c, path: /data/, size: 1Gi }\n  - { name: d, path: /a/../etc, size: 1Gi }");
    insta::assert_snapshot!(repository.said(), @"
    components/web.yaml:12:15 error ill-formed-path: `health` is not a path
      help: begin it with `/`, without spaces
    components/web.yaml:14:24 error ill-formed-path: `data` is no place for a volume
      help: write a path from the root
    components/web.yaml:16:24 error ill-formed-path: two volumes are mounted at `/data`
      help: choose another path
    components/web.yaml:17:24 error ill-formed-path: `/a/../etc` is no place for a volume
      help: write the path out, without `..` and `:`
    held: acme, globex; valid: nobody
    ");
}
