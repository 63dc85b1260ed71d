//! Secrets are encrypted for keys that age knows.

use super::Rule;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule =
    Rule::whole("ill-formed-recipient", "Recipients of secrets are age public keys.", check);

fn check(world: &World<'_>, findings: &mut Findings) {
    let Some(platform) = &world.configuration.platform else { return };
    for (index, recipient) in platform.spec.secret_recipients.iter().enumerate() {
        let at = || platform.at(format!("spec.secretRecipients.{index}"));
        if recipient.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
            findings
                .error(at(), "this is a private key: whoever reads it can read every secret")
                .help("make a new pair, encrypt every secret again, and write the public key here");
        } else if !is_recipient(recipient) {
            findings
                .error(at(), format!("`{recipient}` is not a public key of age"))
                .help("write what `age-keygen -y` prints: `age1…`");
        }
    }
}

fn is_recipient(text: &str) -> bool {
    const BECH32: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    text.strip_prefix("age1")
        .is_some_and(|rest| rest.len() == 58 && rest.chars().all(|next| BECH32.contains(next)))
}
