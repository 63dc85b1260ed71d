//! What PostgreSQL keeps of a password: computed here, so that the password itself reaches neither
//! the server nor its log.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;
use ring::pbkdf2;
use ring::rand::SecureRandom as _;
use serde::Deserialize;
use serde::Serialize;

use crate::apply::secret::Secret;
use crate::model::Digest;

/// As many as PostgreSQL itself takes.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).expect("4096 is not zero");
const SALT: usize = 16;

/// What is remembered of a password that was set, so that another one is noticed. It tells less
/// than what PostgreSQL keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Remembered {
    salt: String,
    check: Digest,
}

impl Remembered {
    pub(super) fn of(salt: &[u8], verifier: &str) -> Self {
        Self { salt: BASE64.encode(salt), check: Digest::of(verifier.as_bytes()) }
    }

    /// Whether this is the password that was set.
    pub(super) fn is(&self, password: &Secret) -> bool {
        let Ok(salt) = BASE64.decode(&self.salt) else { return false };
        self.is_verified_by(&verifier(password, &salt))
    }

    /// Whether what the server keeps is what we made it keep.
    pub(super) fn is_verified_by(&self, verifier: &str) -> bool {
        Digest::of(verifier.as_bytes()) == self.check
    }
}

/// Why a password cannot be one of a role.
pub(super) fn unusable(password: &Secret) -> Option<&'static str> {
    let text = password.expose();
    if text.is_empty() {
        return Some("it is empty");
    }
    // Others are normalized (SASLprep) before they are hashed, by clients more or less well.
    let usual = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    (!usual).then_some("it has characters that are not printable ASCII")
}

pub(super) fn new_salt() -> [u8; SALT] {
    let mut salt = [0; SALT];
    ring::rand::SystemRandom::new()
        .fill(&mut salt)
        .expect("because the kernel always has random numbers to give");
    salt
}

/// `SCRAM-SHA-256$4096:salt$stored-key:server-key` (RFC 5803).
pub(super) fn verifier(password: &Secret, salt: &[u8]) -> String {
    let mut salted = [0; 32];
    let password = password.expose().as_bytes();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, salt, password, &mut salted);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &salted);
    let client_key = hmac::sign(&key, b"Client Key");
    let stored_key = ring::digest::digest(&ring::digest::SHA256, client_key.as_ref());
    let server_key = hmac::sign(&key, b"Server Key");
    format!(
        "SCRAM-SHA-256${ITERATIONS}:{}${}:{}",
        BASE64.encode(salt),
        BASE64.encode(stored_key),
        BASE64.encode(server_key)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifier_is_the_one_of_the_specification() {
        // RFC 7677, section 3: user `user`, password `pencil`.
        let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = verifier(&Secret::new("pencil".into()), &salt);
        let stored = "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=";
        let server = "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
        assert_eq!(
            verifier,
            format!("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==${stored}:{server}")
        );
    }

    #[test]
    fn another_password_is_noticed() {
        let password = Secret::new("correct horse".into());
        let salt = new_salt();
        let remembered = Remembered::of(&salt, &verifier(&password, &salt));
        assert!(remembered.is(&password));
        assert!(!remembered.is(&Secret::new("battery staple".into())));
    }

    #[test]
    fn passwords_that_clients_understand_differently_are_refused() {
        assert_eq!(unusable(&Secret::new("plain-Text_1 $'\"".into())), None);
        assert!(unusable(&Secret::new("pässword".into())).is_some());
        assert!(unusable(&Secret::new(String::new())).is_some());
    }
}
