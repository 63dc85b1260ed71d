//! Signed commits, as `git` itself verifies them.

use std::process::Command;

use tenantry::edits::SigningKey;
use tenantry::edits::signing::InvalidKey;
use tenantry::source::Settings;

use super::Desk;
use super::example;
use super::git;
use super::order;

fn make_key(file: &std::path::Path, kind: &str, passphrase: &str) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-C", "a comment", "-N", passphrase, "-f"])
        .arg(file)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}

#[tokio::test]
async fn git_verifies_the_commits_of_the_portal() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    make_key(&file, "ed25519", "");
    let key = SigningKey::read(&file).unwrap();
    let public = std::fs::read_to_string(folder.path().join("key.pub")).unwrap();
    assert!(public.starts_with(&key.public_key()));
    let signers = folder.path().join("signers");
    std::fs::write(&signers, format!("portal@tenantry.example {}\n", key.public_key())).unwrap();

    let repository = example();
    let settings = Settings::of(repository.file_url().parse().unwrap());
    let desk = Desk::with(settings, Some(key)).await;
    let done = desk.editor.commit(order("initech")).await.unwrap();

    let signers = format!("gpg.ssh.allowedSignersFile={}", signers.display());
    let verify = |commit: &str| {
        git(&repository.git_folder(), &["-c", &signers, "verify-commit", "--raw", commit])
    };
    verify(done.commit.as_str()).unwrap();
    assert!(verify("main~").is_err(), "who does not sign is not verified");

    std::fs::write(folder.path().join("signers"), "").unwrap();
    assert!(verify(done.commit.as_str()).is_err(), "nor is who may not sign");
}

#[test]
fn a_key_of_another_kind_or_behind_a_passphrase_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("locked");
    make_key(&file, "ed25519", "a passphrase");
    assert!(matches!(SigningKey::read(&file), Err(InvalidKey::Encrypted)));
    let file = folder.path().join("other");
    make_key(&file, "ecdsa", "");
    assert!(matches!(SigningKey::read(&file), Err(InvalidKey::AnotherKind)));
}
