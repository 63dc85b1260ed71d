//! The address of the portal, as people and providers of payments see it.

use std::fmt;
use std::str::FromStr;

/// Where the portal is seen from outside, such as `https://portal.example.com`: over TLS, or on this
/// machine; without a slash at its end.
///
/// It is never made up: whoever has that name gets the links of those who forgot their passwords.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalUrl(String);

/// What was given where a [`PortalUrl`] belongs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the portal cannot be seen at `{0}`: write https://HOST, and a path if it has one")]
pub struct InvalidPortalUrl(String);

impl PortalUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PortalUrl {
    type Err = InvalidPortalUrl;

    fn from_str(text: &str) -> Result<Self, InvalidPortalUrl> {
        let url = text.trim_end_matches('/');
        let here = ["http://localhost", "http://127.0.0.1", "http://[::1]"].iter().any(|here| {
            url.strip_prefix(here)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
        });
        let host = url.strip_prefix("https://").unwrap_or_default();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:/_[]".contains(&byte);
        let fits = here || host.starts_with(|first: char| first.is_ascii_alphanumeric());
        if fits && url.bytes().all(plain) {
            Ok(Self(url.to_owned()))
        } else {
            Err(InvalidPortalUrl(text.to_owned()))
        }
    }
}

impl fmt::Display for PortalUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_portal_is_seen_over_tls_or_on_this_machine() {
        for url in [
            "https://portal.example.com/",
            "https://example.com:8443/my",
            "http://localhost:80",
            "http://[::1]:5173",
        ] {
            let read: PortalUrl = url.parse().unwrap();
            assert_eq!(read.as_str(), url.trim_end_matches('/'));
        }
        for url in [
            "",
            "portal.example.com",
            "http://example.com",
            "http://localhost.evil",
            "https://a b",
            "https://key@portal.example.com",
            "https://portal.example.com/?a=b",
            "https://",
        ] {
            assert_eq!(url.parse::<PortalUrl>(), Err(InvalidPortalUrl(url.to_owned())), "{url}");
        }
    }
}
