//! Access tokens: JWTs (RFC 7519) with one algorithm, `EdDSA` over Ed25519 (RFC 8037), written over
//! `ring`. We issue them and we alone read them, so that nothing about them is negotiable: the
//! header has to be ours to the byte, which leaves no `alg` to choose (RFC 8725, 3.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use uuid::Uuid;

use super::keys::Keys;
use super::principal::Means;
use super::principal::Principal;
use super::principal::Role;
use super::principal::Standing;
use crate::model::Name;
use crate::model::Secret;

const ISSUER: &str = "tenantry";
const AUDIENCE: &str = "tenantry-api";
/// RFC 9068 names the type, so that no other JWT passes for an access token.
const TYPE: &str = "at+jwt";
/// Longer than any token of ours: what is longer is not read.
const LONGEST: usize = 2048;

/// How long an access token is good: what a change of role or a logout takes to be felt at most.
pub const LASTS: SignedDuration = SignedDuration::from_mins(10);
/// How far the clocks of two replicas may be apart.
const LEEWAY: i64 = 30;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    /// The session.
    sid: Uuid,
    jti: Uuid,
    role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<Name>,
    iat: i64,
    exp: i64,
}

/// Why a token is none. It is one reason for all: whoever made it up learns nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAccess {
    #[error("the access token is none of ours: log in")]
    Forged,
    #[error("the access token has expired: refresh it")]
    Expired,
}

/// The first part of every token that these keys sign.
pub(super) fn header(key_id: &str) -> String {
    let header = format!(r#"{{"alg":"EdDSA","typ":"{TYPE}","kid":"{key_id}"}}"#);
    URL_SAFE_NO_PAD.encode(header)
}

/// Issues an access token for a person's session, and says when it expires.
pub fn issue(
    keys: &Keys,
    account: Uuid,
    session: Uuid,
    standing: &Standing,
    now: Timestamp,
) -> (Secret, Timestamp) {
    let expires = now + LASTS;
    let claims = Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: account,
        sid: session,
        jti: Uuid::now_v7(),
        role: standing.role(),
        tenant: standing.tenant().cloned(),
        iat: now.as_second(),
        exp: expires.as_second(),
    };
    let claims = serde_json::to_vec(&claims).expect("because claims are texts and numbers");
    let signed = format!("{}.{}", keys.header(), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(keys.sign(signed.as_bytes()));
    (Secret::new(format!("{signed}.{signature}")), expires)
}

/// Reads an access token.
pub fn read(keys: &Keys, token: &Secret, now: Timestamp) -> Result<Principal, InvalidAccess> {
    let forged = InvalidAccess::Forged;
    let text = token.reveal();
    if text.len() > LONGEST {
        return Err(forged);
    }
    let (signed, signature) = text.rsplit_once('.').ok_or(forged)?;
    let (header, claims) = signed.split_once('.').ok_or(forged)?;
    if header != keys.header() {
        return Err(forged);
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| forged)?;
    keys.verify(signed.as_bytes(), &signature).map_err(|_| forged)?;
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| forged)?;
    let claims: Claims = serde_json::from_slice(&claims).map_err(|_| forged)?;
    let now = now.as_second();
    let ours = claims.iss == ISSUER
        && claims.aud == AUDIENCE
        && claims.iat <= now + LEEWAY
        && claims.exp - claims.iat <= LASTS.as_secs();
    if !ours {
        return Err(forged);
    }
    if claims.exp <= now {
        return Err(InvalidAccess::Expired);
    }
    let standing = Standing::of(claims.role, claims.tenant).ok_or(forged)?;
    Ok(Principal { account: claims.sub, standing, means: Means::Session(claims.sid) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    fn issued(keys: &Keys) -> String {
        let standing = Standing::Customer("acme".parse().unwrap());
        let (token, expires) = issue(keys, Uuid::nil(), Uuid::nil(), &standing, now());
        assert!(expires.duration_since(now()) <= SignedDuration::from_mins(15));
        token.reveal().to_owned()
    }

    fn reread(keys: &Keys, token: &str) -> Result<Principal, InvalidAccess> {
        read(keys, &Secret::new(token), now())
    }

    #[test]
    fn a_token_says_who_asks_and_for_which_tenant() {
        let keys = Keys::generate().unwrap();
        let principal = reread(&keys, &issued(&keys)).unwrap();
        assert_eq!(principal.standing.tenant().map(Name::as_str), Some("acme"));
    }

    #[test]
    fn a_token_expires() {
        let keys = Keys::generate().unwrap();
        let token = Secret::new(issued(&keys));
        assert!(read(&keys, &token, now() + LASTS - SignedDuration::from_secs(1)).is_ok());
        assert_eq!(read(&keys, &token, now() + LASTS), Err(InvalidAccess::Expired));
        let early = now() - SignedDuration::from_mins(1);
        assert_eq!(read(&keys, &token, early), Err(InvalidAccess::Forged));
    }

    #[test]
    fn what_others_signed_or_changed_is_refused() {
        let keys = Keys::generate().unwrap();
        let token = issued(&keys);
        let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else {
            unreachable!("a token has three parts");
        };
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let decoded = String::from_utf8(URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        let raised =
            encode(&decoded.replace(r#""role":"customer","tenant":"acme""#, r#""role":"admin""#));
        assert_ne!(raised, claims);
        let none = encode(r#"{"alg":"none"}"#);
        let hmac = encode(r#"{"alg":"HS256","typ":"at+jwt"}"#);
        for forged in [
            issued(&Keys::generate().unwrap()),
            format!("{header}.{raised}.{signature}"),
            format!("{none}.{claims}."),
            format!("{none}.{claims}.{signature}"),
            format!("{hmac}.{claims}.{signature}"),
            format!("{header}.{claims}"),
            format!("{header}.{claims}.{signature}.{signature}"),
            format!("{header}.{claims}.{}", &signature[..signature.len() - 4]),
            format!("{header}..{signature}"),
            "a".repeat(5000),
            String::new(),
            "..".to_owned(),
        ] {
            assert_eq!(reread(&keys, &forged), Err(InvalidAccess::Forged), "{forged}");
        }
    }
}
