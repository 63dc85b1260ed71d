//! What signatures are made of: shared keys as a list, so that they can be changed while both are
//! good, hexadecimal digits, and comparing in the same time for any wrong one.

use ring::hmac;
use serde::Deserialize;
use serde::Deserializer;
use serde::de;
use sha2::Digest as _;
use sha2::Sha256;
use subtle::Choice;
use subtle::ConstantTimeEq as _;

use super::Refusal;
use crate::model::Secret;

/// Shorter ones can be guessed.
const SHORTEST: usize = 12;

/// Keys that are good: what we send is signed with the first, what comes may be by any.
#[derive(Clone, Debug)]
pub struct Keys(Vec<Secret>);

impl Keys {
    /// The one for what we send.
    pub(super) fn first(&self) -> &Secret {
        self.0.first().expect("because there is one at least")
    }

    /// Whether one of them makes this signature. All are tried, whichever it is.
    pub(super) fn sign_as(&self, signature: &[u8], sign: impl Fn(&Secret) -> Vec<u8>) -> bool {
        let tried = self.0.iter().map(|key| sign(key).ct_eq(signature));
        tried.fold(Choice::from(0), |found, this| found | this).into()
    }
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let keys: Vec<Secret> =
            Vec::<String>::deserialize(deserializer)?.into_iter().map(Secret::new).collect();
        if keys.is_empty() || keys.iter().any(|key| key.reveal().len() < SHORTEST) {
            let wrong = format!("give a list of keys of {SHORTEST} characters at least");
            return Err(de::Error::custom(wrong));
        }
        Ok(Self(keys))
    }
}

/// Reads a secret of the settings.
pub(super) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

pub(super) fn hmac_sha256(key: &Secret, message: &[u8]) -> Vec<u8> {
    hmac(hmac::HMAC_SHA256, key, message)
}

pub(super) fn hmac_sha512(key: &Secret, message: &[u8]) -> Vec<u8> {
    hmac(hmac::HMAC_SHA512, key, message)
}

fn hmac(algorithm: hmac::Algorithm, key: &Secret, message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(algorithm, key.reveal().as_bytes());
    hmac::sign(&key, message).as_ref().to_vec()
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The bytes that hexadecimal digits stand for.
pub(super) fn from_hexadecimal(text: &str) -> Result<Vec<u8>, Refusal> {
    let wrong = Refusal::Malformed("the signature is not hexadecimal");
    if text.is_empty() {
        return Err(Refusal::Unsigned);
    }
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong);
    }
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong)?;
            u8::from_str_radix(pair, 16).map_err(|_| wrong)
        })
        .collect()
}

/// A name for what these parts make one; parts cannot run into each other.
pub(super) fn event_key(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part);
    }
    hexadecimal(&digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_back_and_nothing_else_is() {
        assert_eq!(from_hexadecimal(&hexadecimal(&[0, 15, 255])), Ok(vec![0, 15, 255]));
        assert_eq!(from_hexadecimal("0AfF"), Ok(vec![10, 255]));
        for bad in ["", "0", "+5", "0x", "zz", "é"] {
            assert!(from_hexadecimal(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn parts_of_an_event_do_not_run_into_each_other() {
        assert_ne!(event_key(&["ab", "c"]), event_key(&["a", "bc"]));
        assert_ne!(event_key(&["a", ""]), event_key(&["a"]));
    }

    #[test]
    fn a_short_key_or_none_is_refused() {
        assert!(serde_json::from_str::<Keys>(r#"["long enough to be one"]"#).is_ok());
        assert!(serde_json::from_str::<Keys>("[]").is_err());
        assert!(serde_json::from_str::<Keys>(r#"["short"]"#).is_err());
    }
}
