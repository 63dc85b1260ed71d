//! Passwords: what a good one is, and Argon2id.

use argon2::Algorithm;
use argon2::Argon2;
use argon2::Params;
use argon2::Version;
use argon2::password_hash::PasswordHasher as _;
use argon2::password_hash::PasswordVerifier as _;
use argon2::password_hash::phc::PasswordHash;
use ring::rand::SecureRandom as _;
use ring::rand::SystemRandom;
use tokio::sync::Semaphore;

use super::email::Email;
use super::error::AccountError;
use super::error::Invalid;
use crate::model::Secret;

/// The first of the equivalent settings of OWASP's Password Storage Cheat Sheet that fits many
/// logins at once: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// How many are hashed at once: each takes 19 MiB and a core.
const AT_ONCE: usize = 4;

/// In characters. NIST SP 800-63B asks for length, not for kinds of characters.
const SHORTEST: usize = 12;
const LONGEST: usize = 256;

/// Long enough, and guessed first all the same.
const COMMON: [&str; 8] = [
    "password1234",
    "passwordpassword",
    "123456789012",
    "qwertyuiopas",
    "administrator",
    "letmeinletmein",
    "iloveyouiloveyou",
    "changemechangeme",
];

/// Says what is wrong with a new password, if anything is.
pub fn check(password: &Secret, email: &Email) -> Result<(), Invalid> {
    let text = password.reveal();
    let length = text.chars().count();
    let lower = text.to_lowercase();
    let mut letters: Vec<char> = lower.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    let refuse = |message: &str, help: &str| Err(Invalid::new("password", message, help));
    if length < SHORTEST {
        refuse("the password is too short", "use at least 12 characters: a few words do")
    } else if length > LONGEST {
        refuse("the password is too long", "use at most 256 characters")
    } else if letters.len() < 5 || COMMON.contains(&lower.as_str()) {
        refuse("the password is easily guessed", "use a few words that do not belong together")
    } else if email.local().len() > 3 && lower.contains(&email.local().to_lowercase()) {
        refuse("the password contains the mail address", "leave the name out of it")
    } else {
        Ok(())
    }
}

/// Hashes and verifies, a few at a time and beside the threads that answer requests.
#[derive(Debug)]
pub(super) struct Hashing {
    at_once: Semaphore,
}

impl Default for Hashing {
    fn default() -> Self {
        Self { at_once: Semaphore::new(AT_ONCE) }
    }
}

impl Hashing {
    /// The hash of a password with a fresh salt, as a PHC string.
    pub(super) async fn hash(&self, password: &Secret) -> Result<String, AccountError> {
        let password = password.clone();
        self.beside(move || {
            let mut salt = [0; 16];
            SystemRandom::new()
                .fill(&mut salt)
                .map_err(|_| AccountError::Internal("the system gives no random bytes".into()))?;
            hash_with(&password, &salt)
        })
        .await
    }

    /// Whether the password is the one of the hash. For nobody's (`None`) it takes as long.
    pub(super) async fn verify(
        &self,
        password: &Secret,
        hash: Option<String>,
    ) -> Result<bool, AccountError> {
        let password = password.clone();
        self.beside(move || {
            let Some(hash) = hash else {
                // The work of a verification is that of a hash.
                hash_with(&password, b"nobody's own salt")?;
                return Ok(false);
            };
            let hash = PasswordHash::new(&hash)
                .map_err(|error| AccountError::Internal(format!("a hash is broken: {error}")))?;
            Ok(argon2().verify_password(password.reveal().as_bytes(), &hash).is_ok())
        })
        .await
    }

    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, AccountError> + Send + 'static,
    ) -> Result<T, AccountError> {
        let _turn = self.at_once.acquire().await;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| AccountError::Internal(format!("hashing broke off: {error}")))?
    }
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .expect("because OWASP's parameters are within Argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash_with(password: &Secret, salt: &[u8]) -> Result<String, AccountError> {
    let hash: PasswordHash =
        argon2()
            .hash_password_with_salt(password.reveal().as_bytes(), salt)
            .map_err(|error| AccountError::Internal(format!("hashing failed: {error}")))?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_nobody_has_one() {
        let hashing = Hashing::default();
        let password = Secret::new("four words in a row");
        let hash = hashing.hash(&password).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, hashing.hash(&password).await.unwrap());
        assert!(hashing.verify(&password, Some(hash.clone())).await.unwrap());
        assert!(!hashing.verify(&Secret::new("four words in a line"), Some(hash)).await.unwrap());
        assert!(!hashing.verify(&password, None).await.unwrap());
    }

    #[test]
    fn weak_passwords_are_refused() {
        let email: Email = "lovelace@example.com".parse().unwrap();
        let check = |text: &str| check(&Secret::new(text), &email).err().map(|one| one.message);
        assert_eq!(check("correct horse battery"), None);
        assert!(check("short").unwrap().contains("too short"));
        assert!(check(&"long ".repeat(60)).unwrap().contains("too long"));
        assert!(check("aaaaaaaaaaaaaaa").unwrap().contains("guessed"));
        assert!(check("PasswordPassword").unwrap().contains("guessed"));
        assert!(check("my LoveLace 1815").unwrap().contains("address"));
    }
}
