//! Signs commits with an Ed25519 key of OpenSSH, as `git commit -S` with `gpg.format = ssh` does.
//!
//! The key file is that of `ssh-keygen` (`PROTOCOL.key` of OpenSSH), the signature an `SSHSIG`
//! (`PROTOCOL.sshsig`), made here: a program for each commit would be too slow.

use std::path::Path;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::SHA512;
use ring::digest::digest;
use ring::signature::Ed25519KeyPair;
use ring::signature::KeyPair as _;

const ALGORITHM: &[u8] = b"ssh-ed25519";
const MAGIC: &[u8] = b"SSHSIG";
/// What the signature is for; `git` verifies this one and no other.
const NAMESPACE: &[u8] = b"git";
const KEY_MAGIC: &[u8] = b"openssh-key-v1\0";
/// `ssh-keygen` breaks its lines here.
const LINE: usize = 70;

/// A private key that signs commits. It does not print.
pub struct SigningKey(Ed25519KeyPair);

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidKey {
    #[error("the signing key could not be read from {}: make it readable for this user", .file.display())]
    File { file: PathBuf, source: std::io::Error },
    #[error("this is not a private key of OpenSSH: make one with `ssh-keygen -t ed25519`")]
    NotAKey,
    #[error(
        "the signing key is behind a passphrase: take it off with `ssh-keygen -p -N '' -f <file>`"
    )]
    Encrypted,
    #[error("the signing key is not of the kind Ed25519: make one with `ssh-keygen -t ed25519`")]
    AnotherKind,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("SigningKey(…)")
    }
}

impl SigningKey {
    /// Reads the key from its file.
    pub fn read(file: &Path) -> Result<Self, InvalidKey> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| InvalidKey::File { file: file.to_owned(), source })?;
        Self::parse(&text)
    }

    /// Reads the key from the text of its file.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let body = text
            .trim()
            .strip_prefix("-----BEGIN OPENSSH PRIVATE KEY-----")
            .and_then(|rest| rest.strip_suffix("-----END OPENSSH PRIVATE KEY-----"))
            .ok_or(InvalidKey::NotAKey)?;
        let body: String = body.split_whitespace().collect();
        let bytes = STANDARD.decode(body).map_err(|_| InvalidKey::NotAKey)?;
        let (cipher, private) = outside(&bytes).ok_or(InvalidKey::NotAKey)?;
        if cipher != b"none" {
            return Err(InvalidKey::Encrypted);
        }
        let (kind, seed, public) = inside(private).ok_or(InvalidKey::NotAKey)?;
        if kind != ALGORITHM {
            return Err(InvalidKey::AnotherKind);
        }
        Ed25519KeyPair::from_seed_and_public_key(seed, public)
            .map(Self)
            .map_err(|_| InvalidKey::NotAKey)
    }

    /// Signs the bytes of a commit; what comes out is the value of its `gpgsig` header.
    pub fn sign(&self, commit: &[u8]) -> String {
        let mut signed = MAGIC.to_vec();
        string(&mut signed, NAMESPACE);
        string(&mut signed, b"");
        string(&mut signed, b"sha512");
        string(&mut signed, digest(&SHA512, commit).as_ref());

        let mut signature = Vec::new();
        string(&mut signature, ALGORITHM);
        string(&mut signature, self.0.sign(&signed).as_ref());

        let mut blob = MAGIC.to_vec();
        blob.extend_from_slice(&1_u32.to_be_bytes());
        string(&mut blob, &self.public_blob());
        string(&mut blob, NAMESPACE);
        string(&mut blob, b"");
        string(&mut blob, b"sha512");
        string(&mut blob, &signature);

        let encoded = STANDARD.encode(blob);
        let mut armour = String::from("-----BEGIN SSH SIGNATURE-----\n");
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(LINE));
            armour.push_str(line);
            armour.push('\n');
            rest = after;
        }
        armour + "-----END SSH SIGNATURE-----"
    }

    /// The public key as a line of `authorized_keys` or, after a name, of `allowed_signers`.
    pub fn public_key(&self) -> String {
        format!("ssh-ed25519 {}", STANDARD.encode(self.public_blob()))
    }

    fn public_blob(&self) -> Vec<u8> {
        let mut blob = Vec::new();
        string(&mut blob, ALGORITHM);
        string(&mut blob, self.0.public_key().as_ref());
        blob
    }
}

/// Adds a string with its length before it.
fn string(to: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("because nothing here is that long");
    to.extend_from_slice(&length.to_be_bytes());
    to.extend_from_slice(bytes);
}

fn take_string<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (string, rest) =
        rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *bytes = rest;
    Some(string)
}

/// The cipher, and what it may have encrypted.
fn outside(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = bytes.strip_prefix(KEY_MAGIC)?;
    let cipher = take_string(&mut rest)?;
    let _derivation = take_string(&mut rest)?;
    let _options = take_string(&mut rest)?;
    let (count, after) = rest.split_first_chunk::<4>()?;
    rest = after;
    if u32::from_be_bytes(*count) != 1 {
        return None;
    }
    let _public = take_string(&mut rest)?;
    Some((cipher, take_string(&mut rest)?))
}

/// The kind of the key, its seed and its public half. Of another kind only the kind is told.
fn inside(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (_checks, mut rest) = bytes.split_at_checked(8)?;
    let kind = take_string(&mut rest)?;
    if kind != ALGORITHM {
        return Some((kind, b"", b""));
    }
    let public = take_string(&mut rest)?;
    let private = take_string(&mut rest)?;
    Some((kind, private.get(..32)?, public))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_refused_with_the_way_to_one() {
        let error = SigningKey::parse("hello").unwrap_err();
        assert!(matches!(error, InvalidKey::NotAKey), "{error}");
        let error = SigningKey::read(Path::new("/nowhere")).unwrap_err();
        assert!(error.to_string().starts_with("the signing key could not be read from /nowhere"));
        let cut = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUA\n-----END OPENSSH PRIVATE KEY-----\n";
        assert!(matches!(SigningKey::parse(cut).unwrap_err(), InvalidKey::NotAKey));
    }
}
