//! `ill-formed-channel`.

use super::repository::document;
use super::repository::repository;

#[test]
fn a_channel_grows() {
    let repository = repository().with(
        "channel.yaml",
        &document(
            "Channel",
            "stable",
            "application: kkt\nrepository: kkt\nasset: a/b\nstages: [10, 10, 101]\nreached: 3\n",
        ),
    );
    insta::assert_snapshot!(repository.said(), @"
    channel.yaml:7:15 error ill-formed-channel: `kkt` is not a repository
      help: write it as `owner/name`
    channel.yaml:8:10 error ill-formed-channel: `a/b` is not the name of a file
      help: write the name as the release has it, with `*` for anything
    channel.yaml:9:16 error ill-formed-channel: a stage of 10 % cannot come after one of 10 %
      help: let the stages grow to 100, such as `[10, 50, 100]`
    channel.yaml:9:20 error ill-formed-channel: a stage of 101 % cannot come after one of 10 %
      help: let the stages grow to 100, such as `[10, 50, 100]`
    channel.yaml:10:12 error ill-formed-channel: there is no stage 3: they count from 0
      help: lower it, or add a stage
    held: nobody; valid: acme, globex
    ");
}
