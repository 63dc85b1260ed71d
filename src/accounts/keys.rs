//! The key that signs access tokens and cursors.
//!
//! It comes from a file that a setting names, or it is made at the first start and kept in our
//! database, where every replica finds the same one and nobody has to configure anything. It
//! stands there as it is: whoever can write to that database can make themselves an admin anyway,
//! and a key to encrypt it with would have to lie in a file in turn. Whoever wants a copy of the
//! database to sign nothing names a file.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::ED25519;
use ring::signature::Ed25519KeyPair;
use ring::signature::KeyPair as _;
use ring::signature::UnparsedPublicKey;
use sha2::Digest as _;
use sha2::Sha256;

use super::Accounts;
use super::access;
use super::error::AccountError;
use crate::postgres::stamp;

/// Where the key comes from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// PKCS#8 in PEM, as `openssl genpkey -algorithm ed25519` writes it.
    File(PathBuf),
    Database,
}

/// The key that signs, and what follows from it.
pub struct Keys {
    pair: Ed25519KeyPair,
    header: String,
    cursors: hmac::Key,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Keys([hidden])")
    }
}

impl Keys {
    /// A fresh key that is kept nowhere.
    pub fn generate() -> Result<Self, AccountError> {
        Self::of_pkcs8(&generate()?)
    }

    fn of_pkcs8(private: &[u8]) -> Result<Self, AccountError> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(private).map_err(|error| {
            AccountError::Internal(format!("the signing key is not Ed25519 in PKCS#8: {error}"))
        })?;
        let key_id = &Sha256::digest(pair.public_key())[..6];
        let header = access::header(&URL_SAFE_NO_PAD.encode(key_id));
        let cursors =
            Sha256::new().chain_update(b"tenantry cursors\0").chain_update(private).finalize();
        Ok(Self { pair, header, cursors: hmac::Key::new(hmac::HMAC_SHA256, &cursors) })
    }

    pub(super) fn header(&self) -> &str {
        &self.header
    }

    pub(super) fn sign(&self, message: &[u8]) -> impl AsRef<[u8]> + use<> {
        self.pair.sign(message)
    }

    pub(super) fn verify(
        &self,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), ring::error::Unspecified> {
        UnparsedPublicKey::new(&ED25519, self.pair.public_key()).verify(message, signature)
    }

    /// Signs what goes out to come back unchanged, such as a cursor.
    pub fn seal(&self, text: &[u8]) -> hmac::Tag {
        hmac::sign(&self.cursors, text)
    }
}

fn generate() -> Result<Vec<u8>, AccountError> {
    let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
        .map_err(|_| AccountError::Internal("the system gives no random bytes".into()))?;
    Ok(made.as_ref().to_vec())
}

/// Reads the key, and makes one where our database has none yet.
pub(super) async fn load(
    accounts: &Accounts,
    source: &KeySource,
    now: Timestamp,
) -> Result<Keys, AccountError> {
    match source {
        KeySource::File(file) => {
            let text = std::fs::read_to_string(file).map_err(|error| {
                AccountError::Internal(format!(
                    "the signing key cannot be read from {}: {error}",
                    file.display()
                ))
            })?;
            Keys::of_pkcs8(&pem(&text).ok_or_else(|| {
                AccountError::Internal(format!(
                    "{} holds no PEM of a private key: make one with `openssl genpkey -algorithm ed25519`",
                    file.display()
                ))
            })?)
        }
        KeySource::Database => {
            let pool = accounts.pool()?;
            // Of replicas that start at once one makes it; all read what was written.
            sqlx::query("insert into signing_key (private, created_at) values ($1, $2) on conflict do nothing")
                .bind(generate()?)
                .bind(stamp(now))
                .execute(pool)
                .await
                .map_err(accounts.failed())?;
            let (private,): (Vec<u8>,) = sqlx::query_as("select private from signing_key")
                .fetch_one(pool)
                .await
                .map_err(accounts.failed())?;
            Keys::of_pkcs8(&private)
        }
    }
}

/// The bytes inside `-----BEGIN PRIVATE KEY-----`.
fn pem(text: &str) -> Option<Vec<u8>> {
    let inside = text.split_once("-----BEGIN PRIVATE KEY-----")?.1;
    let inside = inside.split_once("-----END PRIVATE KEY-----")?.0;
    let inside: String = inside.split_whitespace().collect();
    STANDARD.decode(inside).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410, 10.3: what OpenSSL writes, without the public key.
    const OPENSSL: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
        -----END PRIVATE KEY-----\n";

    #[test]
    fn a_key_as_openssl_writes_it_is_read() {
        let keys = Keys::of_pkcs8(&pem(OPENSSL).unwrap()).unwrap();
        let signature = keys.sign(b"a message");
        assert!(keys.verify(b"a message", signature.as_ref()).is_ok());
        assert!(keys.verify(b"another", signature.as_ref()).is_err());
        assert!(pem("nothing of the kind").is_none());
    }

    #[test]
    fn a_key_prints_nothing_of_itself() {
        assert_eq!(format!("{:?}", Keys::generate().unwrap()), "Keys([hidden])");
    }

    #[test]
    fn a_seal_is_of_its_text_alone() {
        let keys = Keys::generate().unwrap();
        let seal = |text: &[u8]| keys.seal(text).as_ref().to_vec();
        assert_eq!(seal(b"users 12"), seal(b"users 12"));
        assert_ne!(seal(b"users 12"), seal(b"users 13"));
    }
}
