//! `percent-out-of-range`.

use super::repository::repository;

#[test]
fn percentages_are_what_they_can_be() {
    let repository = repository()
        .changed(
            "clusters/one.yaml",
            "memory: 20Gi",
            "memory: 20Gi, reserve: 100, oversubscription: 50",
        )
        .adding("platform.yaml", "alerts: { usage: 101 }");
    insta::assert_snapshot!(repository.said(), @"
    clusters/one.yaml:10:47 error percent-out-of-range: nothing is left beside this reserve
      help: write the percent that stay free, such as 35
    clusters/one.yaml:10:70 error percent-out-of-range: with 50 % less is allowed than there is
      help: write percent: 400 is four times of what is there
    platform.yaml:10:20 error percent-out-of-range: 101 % is never reached
      help: write a number from 0 to 100
    held: acme, globex; valid: nobody
    ");
}
