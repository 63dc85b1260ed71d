//! Random tokens: shown once, kept as a hash. A token has 256 random bits, so one round of
//! SHA-256 hides it as well as any slow hash would.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SecureRandom as _;
use ring::rand::SystemRandom;
use sha2::Digest as _;
use sha2::Sha256;

use super::error::AccountError;
use crate::model::Secret;

/// What a token is for, which it says in its first letters: scanners of leaked secrets know it,
/// and one is not taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Refresh,
    Mail,
    Api,
    Deployment,
    /// Opens one stream of events.
    Ticket,
}

impl Use {
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Refresh => "tnr_",
            Self::Mail => "tnm_",
            Self::Api => "tna_",
            Self::Deployment => "tnd_",
            Self::Ticket => "tne_",
        }
    }
}

/// A token that nobody has seen yet, and its hash.
pub fn fresh(r#use: Use) -> Result<(Secret, [u8; 32]), AccountError> {
    let mut random = [0; 32];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| AccountError::Internal("the system gives no random bytes".into()))?;
    let token = Secret::new(format!("{}{}", r#use.prefix(), URL_SAFE_NO_PAD.encode(random)));
    let hash = Sha256::digest(token.reveal()).into();
    Ok((token, hash))
}

/// The hash by which a token is looked up; none for what cannot be a token of this use.
pub fn hash(r#use: Use, token: &Secret) -> Option<[u8; 32]> {
    let random = token.reveal().strip_prefix(r#use.prefix())?;
    (random.len() == 43).then(|| Sha256::digest(token.reveal()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_hash_and_only_for_its_use() {
        let (token, hashed) = fresh(Use::Api).unwrap();
        assert_eq!(hash(Use::Api, &token), Some(hashed));
        assert_eq!(hash(Use::Refresh, &token), None);
        assert_ne!(fresh(Use::Api).unwrap().1, hashed);
        assert_eq!(hash(Use::Api, &Secret::new("tna_short")), None);
    }
}
