//! Webhooks: whether a request to look comes from whom we share a secret with. What else it says
//! is not trusted: it means "look", and what there is to see is fetched.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use jiff::Timestamp;
use ring::hmac;
use subtle::ConstantTimeEq as _;

use crate::model::Secret;

/// How far a signature with a time may be from now, in seconds. (Standard Webhooks.)
const TOLERANCE: u64 = 300;
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
    #[error(
        "the signature is not written as its sender documents it, such as `sha256=` and 64 hexadecimal digits"
    )]
    Malformed,
    #[error(
        "the body is not JSON: choose the content type `application/json` where it is sent from"
    )]
    NotJson,
    #[error("it was signed more than five minutes ago, or in the future: set the clocks")]
    Stale,
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

/// GitHub: a signature of the raw body. It has no time; a replay only has us look once more.
/// (docs.github.com, "Validating webhook deliveries".)
pub fn verify_github(secret: &Secret, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
    if headers.contains_key("x-hub-signature-256") {
        verify(secret, headers, body)
    } else {
        Err(Refusal::Unsigned)
    }
}

/// Gitea, Forgejo and Gogs: the bare digits of a signature of the body, which is empty where no
/// secret is set there. As a form it would be a signature of something else than what came.
pub fn verify_gitea(secret: &Secret, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
    let kind = headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.trim_start().starts_with("application/json")) {
        return Err(Refusal::NotJson);
    }
    let names = ["x-forgejo-signature", "x-gitea-signature", "x-gogs-signature"];
    let Some(signature) = names.iter().find_map(|name| headers.get(*name)) else {
        return verify_github(secret, headers, body);
    };
    if signature.is_empty() {
        return Err(Refusal::Unsigned);
    }
    let signature = signature.to_str().ok().and_then(from_hexadecimal).ok_or(Refusal::Malformed)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
    hmac::verify(&key, body, &signature).map_err(|_| Refusal::Wrong)
}

/// GitLab: a signature by Standard Webhooks, or the secret itself. Where there is a signature it
/// must be right: there is no falling back to the token.
pub fn verify_gitlab(
    secret: &Secret,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), Refusal> {
    let Some(signatures) = headers.get("webhook-signature") else {
        let token = headers.get("x-gitlab-token").ok_or(Refusal::Unsigned)?;
        let same = token.as_bytes().ct_eq(secret.reveal().as_bytes());
        return if same.into() { Ok(()) } else { Err(Refusal::Wrong) };
    };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (id, time) = text("webhook-id").zip(text("webhook-timestamp")).ok_or(Refusal::Malformed)?;
    let seconds: i64 = time.parse().map_err(|_| Refusal::Malformed)?;
    // Unlike Stripe's, this key is what the text after the prefix stands for.
    let key = secret.reveal().strip_prefix("whsec_").and_then(|key| STANDARD.decode(key).ok());
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key.ok_or(Refusal::Wrong)?);
    let signed = [id.as_bytes(), b".", time.as_bytes(), b".", body].concat();
    let good = signatures
        .to_str()
        .map_err(|_| Refusal::Malformed)?
        .split(' ')
        .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
        .any(|signature| hmac::verify(&key, &signed, &signature).is_ok());
    if !good {
        return Err(Refusal::Wrong);
    }
    if now.as_second().abs_diff(seconds) > TOLERANCE { Err(Refusal::Stale) } else { Ok(()) }
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

    fn of(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        pairs.collect()
    }

    #[test]
    fn gitea_signs_with_bare_digits_and_github_with_a_prefix() {
        let secret = Secret::new("It's a Secret to Everybody");
        let bare = &SIGNATURE["sha256=".len()..];
        let json = ("content-type", "application/json");
        let other = bare.replace('7', "8");
        let gitea = |pairs: &[(&'static str, &str)]| verify_gitea(&secret, &of(pairs), BODY);
        for name in ["x-gitea-signature", "x-forgejo-signature", "x-gogs-signature"] {
            assert_eq!(gitea(&[json, (name, bare)]), Ok(()));
            assert_eq!(gitea(&[json, (name, SIGNATURE)]), Err(Refusal::Malformed));
            assert_eq!(gitea(&[json, (name, "")]), Err(Refusal::Unsigned));
            assert_eq!(gitea(&[json, (name, &other)]), Err(Refusal::Wrong));
        }
        assert_eq!(gitea(&[json, ("x-hub-signature-256", SIGNATURE)]), Ok(()));
        // The empty one of a hook without a secret is not outweighed by another header.
        let both = [json, ("x-gitea-signature", ""), ("x-hub-signature-256", SIGNATURE)];
        assert_eq!(gitea(&both), Err(Refusal::Unsigned));
        let form =
            [("content-type", "application/x-www-form-urlencoded"), ("x-gitea-signature", bare)];
        assert_eq!(gitea(&form), Err(Refusal::NotJson));
        let github = |pairs: &[(&'static str, &str)]| verify_github(&secret, &of(pairs), BODY);
        assert_eq!(github(&[("x-hub-signature-256", SIGNATURE)]), Ok(()));
        for other in ["x-hub-signature", "x-gitlab-token", "x-gitea-signature"] {
            assert_eq!(github(&[(other, "It's a Secret to Everybody")]), Err(Refusal::Unsigned));
        }
    }

    #[test]
    fn gitlab_signs_by_standard_webhooks_or_sends_its_token_and_one_does_not_stand_in_for_the_other()
     {
        const STANDARD_BODY: &[u8] = br#"{"test": 2432232314}"#;
        const TIME: i64 = 1_614_265_330;
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let id = ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek");
        let time = ("webhook-timestamp", "1614265330");
        let heard = |pairs: &[(&'static str, &str)], now| {
            let now = Timestamp::from_second(now).unwrap();
            verify_gitlab(&secret, &of(pairs), STANDARD_BODY, now)
        };
        assert_eq!(heard(&[id, time, ("webhook-signature", signature)], TIME), Ok(()));
        // While a key rolls there are several.
        let several = format!("v1,AAAA v1a,xyz {signature}");
        assert_eq!(heard(&[id, time, ("webhook-signature", &several)], TIME + 300), Ok(()));
        let token = ("x-gitlab-token", secret.reveal());
        assert_eq!(heard(&[token], TIME), Ok(()));
        for wrong in ["v1,AAAA", "", "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="] {
            let pairs = [id, time, token, ("webhook-signature", wrong)];
            assert_eq!(heard(&pairs, TIME), Err(Refusal::Wrong), "{wrong}");
        }
        for now in [TIME - 301, TIME + 301] {
            let stale = heard(&[id, time, ("webhook-signature", signature)], now);
            assert_eq!(stale, Err(Refusal::Stale));
        }
        let other = ("webhook-id", "msg_other");
        assert_eq!(
            heard(&[other, time, ("webhook-signature", signature)], TIME),
            Err(Refusal::Wrong)
        );
        assert_eq!(heard(&[("x-gitlab-token", "whsec_")], TIME), Err(Refusal::Wrong));
        assert_eq!(heard(&[], TIME), Err(Refusal::Unsigned));
    }

    #[test]
    fn a_short_secret_is_refused_before_anybody_guesses_it() {
        let settings =
            Settings { webhook_secret: Some(Secret::new("short")), webhook_secret_file: None };
        assert!(matches!(settings.secret(), Err(InvalidSecret::Short)));
    }
}
