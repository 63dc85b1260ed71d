//! `ill-formed-recipient`.

use super::repository::repository;

#[test]
fn a_recipient_is_a_public_key() {
    let repository = repository().adding("platform.yaml", "secretRecipients: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p, age1abc, AGE-SECRET-KEY-1AAAA]");
    insta::assert_snapshot!(repository.said(), @"
    platform.yaml:10:86 error ill-formed-recipient: `age1abc` is not a public key of age
      help: write what `age-keygen -y` prints: `age1…`
    platform.yaml:10:95 error ill-formed-recipient: this is a private key: whoever reads it can read every secret
      help: make a new pair, encrypt every secret again, and write the public key here
    held: acme, globex; valid: nobody
    ");
}
