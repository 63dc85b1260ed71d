//! Webhooks: whether a request to look comes from whom we share a secret with. What else it says
//! is not trusted: it means "look", and what there is to see is fetched.

use std::path::PathBuf;

use http::HeaderMap;
use ring::hmac;
use subtle::ConstantTimeEq as _;

use crate::model::Secret;

/// Shorter secrets can be guessed.
const SHORTEST_SECRET: usize = 16;

/// With whom webhooks share a secret.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Webhook")]
pub struct Settings {
    /// Take webhooks that are signed with the secret in this file, or with the one in `TENANTRY_WEBHOOK_SECRET`
    #[arg(long, value_name = "FILE", env = "TENANTRY_WEBHOOK_SECRET_FILE")]
    pub webhook_secret_file: Option<PathBuf>,

    /// The secret of `TENANTRY_WEBHOOK_SECRET`: never an argument, which every user of the machine could see.
    #[arg(skip = secret_from_environment())]
    pub webhook_secret: Option<Secret>,
}

fn secret_from_environment() -> Option<Secret> {
    std::env::var("TENANTRY_WEBHOOK_SECRET").ok().map(Secret::new)
}

/// Why no webhook could be taken at all.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSecret {
    #[error("the webhook's secret could not be read from {}: make it readable for this user", .file.display())]
    Unreadable { file: PathBuf, source: std::io::Error },
    #[error(
        "the webhook's secret is too short: use at least {SHORTEST_SECRET} characters, as from `openssl rand -hex 32`"
    )]
    Short,
}

impl Settings {
    /// The secret; none where no webhook is wanted.
    pub fn secret(&self) -> Result<Option<Secret>, InvalidSecret> {
        let secret = match &self.webhook_secret_file {
            Some(file) => match std::fs::read_to_string(file) {
                Ok(text) => Some(Secret::new(text.trim())),
                Err(source) => {
                    return Err(InvalidSecret::Unreadable { file: file.clone(), source });
                }
            },
            None => self.webhook_secret.clone(),
        };
        match secret {
            Some(secret) if secret.reveal().len() < SHORTEST_SECRET => Err(InvalidSecret::Short),
            secret => Ok(secret),
        }
    }
}

/// Why a webhook is not heard. It never says what would have been right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the request is not signed: set the webhook's secret where it is sent from")]
    Unsigned,
    #[error("`X-Hub-Signature-256` does not read `sha256=` and 64 hexadecimal digits")]
    Malformed,
    #[error("the signature is not by our secret: set the same secret on both sides")]
    Wrong,
}

/// Says whether a request was made by whom we share the secret with: by a signature of the raw
/// body (GitHub, Gitea, Forgejo) or by the secret itself (GitLab). It takes as long for any
/// wrong one.
pub fn verify(secret: &Secret, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
    if let Some(signature) = headers.get("x-hub-signature-256") {
        let signature = signature.to_str().ok().and_then(|text| text.strip_prefix("sha256="));
        let signature = signature.and_then(from_hexadecimal).ok_or(Refusal::Malformed)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
        return hmac::verify(&key, body, &signature).map_err(|_| Refusal::Wrong);
    }
    let Some(token) = headers.get("x-gitlab-token") else { return Err(Refusal::Unsigned) };
    let same = token.as_bytes().ct_eq(secret.reveal().as_bytes());
    if same.into() { Ok(()) } else { Err(Refusal::Wrong) }
}

fn from_hexadecimal(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"Hello, World!";
    /// The example of GitHub's documentation.
    const SIGNATURE: &str =
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn checked(name: &'static str, value: &str, body: &[u8]) -> Result<(), Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        verify(&Secret::new("It's a Secret to Everybody"), &headers, body)
    }

    #[test]
    fn a_signature_by_our_secret_is_heard() {
        assert_eq!(checked("x-hub-signature-256", SIGNATURE, BODY), Ok(()));
        assert_eq!(
            checked("x-hub-signature-256", &SIGNATURE.to_uppercase().replace("SHA", "sha"), BODY),
            Ok(())
        );
        assert_eq!(checked("x-gitlab-token", "It's a Secret to Everybody", BODY), Ok(()));
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(
            checked("x-hub-signature-256", SIGNATURE, b"Hello, World?"),
            Err(Refusal::Wrong)
        );
        assert_eq!(
            checked("x-hub-signature-256", &SIGNATURE.replace('7', "8"), BODY),
            Err(Refusal::Wrong)
        );
        for malformed in [
            "",
            "sha256=",
            "sha1=00",
            &SIGNATURE[..70],
            &format!("{SIGNATURE}0"),
            &SIGNATURE.replace("75", "+5"),
        ] {
            assert_eq!(checked("x-hub-signature-256", malformed, BODY), Err(Refusal::Malformed));
        }
        assert_eq!(checked("x-gitlab-token", "It's a Secret", BODY), Err(Refusal::Wrong));
        assert_eq!(checked("x-other", "It's a Secret to Everybody", BODY), Err(Refusal::Unsigned));
    }

    #[test]
    fn a_wrong_signature_is_not_outweighed_by_a_right_token() {
        let mut headers = HeaderMap::new();
        headers.insert("x-hub-signature-256", SIGNATURE.parse().unwrap());
        headers.insert("x-gitlab-token", "secret".parse().unwrap());
        assert_eq!(verify(&Secret::new("secret"), &headers, BODY), Err(Refusal::Wrong));
    }

    #[test]
    fn a_short_secret_is_refused_before_anybody_guesses_it() {
        let settings =
            Settings { webhook_secret: Some(Secret::new("short")), webhook_secret_file: None };
        assert!(matches!(settings.secret(), Err(InvalidSecret::Short)));
    }
}
