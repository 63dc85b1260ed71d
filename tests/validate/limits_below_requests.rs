//! `limits-below-requests`.

use super::repository::repository;

#[test]
fn what_a_pod_may_use_is_what_it_is_promised() {
    let repository = repository().changed("components/web.yaml", "cpu: 500m", "cpu: 200m");
    insta::assert_snapshot!(repository.said(), @"
    components/web.yaml:11:20 error limits-below-requests: the limit 200m is less than the request 250m
      help: raise it to at least 250m
    held: acme, globex; valid: nobody
    ");
}
