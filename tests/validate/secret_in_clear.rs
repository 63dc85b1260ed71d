//! `secret-in-clear`.

use super::repository::document;
use super::repository::repository;

#[test]
fn a_secret_is_generated_and_not_written_down() {
    let repository = repository().adding("components/web.yaml", "environment:\n  DB_PASSWORD: { value: hunter2 }\n  DATABASE_URL: { value: \"postgres://web:hunter2@db/web\" }\n  PASSWORD_LENGTH: { value: \"12\" }\n  ALLOW_EMPTY_PASSWORD: { value: \"yes\" }\nargs: [--token=ghp_0123456789abcdef]");
    insta::assert_snapshot!(repository.said(), @"
    components/web.yaml:13:27 error secret-in-clear: the value of `DB_PASSWORD` looks like a secret
      help: remove it, make a new one, and have it generated: `credentials`, and `{ credential: <key> }` here
    components/web.yaml:14:28 error secret-in-clear: this looks like an address with a password in it
      help: remove it, make a new one, and have it generated: `credentials`, and `{ credential: <key> }` here
    components/web.yaml:17:10 error secret-in-clear: this looks like a GitHub token
      help: remove it, make a new one, and have it generated: `credentials`, and `{ credential: <key> }` here
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn a_hosts_secrets_are_encrypted() {
    let repository = repository().with("tenants/acme/host.yaml", &document("Host", "h1", "tenant: acme\naddress: 203.0.113.1\nhostKeys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtk0LOlateGOF9Z6QNlbLobkXbumZZ+A9ZV3CCKdxl8]\nroles: [kkt]\nsettings: { telegram_token: abcdefgh }\nsecrets:\n  smtp: hunter2\n"));
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/host.yaml:10:31 error secret-in-clear: the value of `telegram_token` looks like a secret
      help: remove it, make a new one, and write it under `secrets`, encrypted with age for the platform's recipients
    tenants/acme/host.yaml:12:11 error secret-in-clear: the secret `smtp` is not encrypted
      help: remove it, make a new one, and write it under `secrets`, encrypted with age for the platform's recipients
    held: host/h1; valid: acme, globex
    ");
}
