//! No secret stands in the repository in the clear: whoever can read it once knows it for ever.
//!
//! The message never repeats the value.

use super::Rule;
use crate::model::component::Setting;
use crate::validate::findings::At;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "secret-in-clear",
    "Secrets are generated or encrypted, and never stand in the repository in the clear.",
    check,
);

const GENERATE: &str = "remove it, make a new one, and have it generated: `credentials`, and `{ credential: <key> }` here";
const ENCRYPT: &str = "remove it, make a new one, and write it under `secrets`, encrypted with age for the platform's recipients";

fn check(world: &World<'_>, findings: &mut Findings) {
    let configuration = world.configuration;
    for component in configuration.components.values() {
        for (name, setting) in &component.spec.environment {
            let Setting::Value(value) = setting else { continue };
            let at = || component.at(format!("spec.environment.{name}.value"));
            judge(name, value, at, GENERATE, findings);
        }
        for (field, words) in [("command", &component.spec.command), ("args", &component.spec.args)]
        {
            for (index, word) in words.iter().enumerate() {
                judge(
                    "",
                    word,
                    || component.at(format!("spec.{field}.{index}")),
                    GENERATE,
                    findings,
                );
            }
        }
    }
    for package in configuration.packages.values() {
        for (job, spec) in package.spec.jobs.iter().enumerate() {
            for (field, words) in [("command", &spec.command), ("args", &spec.args)] {
                for (index, word) in words.iter().enumerate() {
                    let at = || package.at(format!("spec.jobs.{job}.{field}.{index}"));
                    judge("", word, at, GENERATE, findings);
                }
            }
        }
    }
    for host in configuration.hosts.values() {
        for (name, value) in &host.spec.settings {
            judge(name, value, || host.at(format!("spec.settings.{name}")), ENCRYPT, findings);
        }
        for (name, value) in &host.spec.secrets {
            if !is_encrypted(value) {
                findings
                    .error(
                        host.at(format!("spec.secrets.{name}")),
                        format!("the secret `{name}` is not encrypted"),
                    )
                    .help(ENCRYPT);
            }
        }
    }
}

fn judge(name: &str, value: &str, at: impl Fn() -> At, help: &str, findings: &mut Findings) {
    let message = if names_a_secret(name) && says_something(value) {
        format!("the value of `{name}` looks like a secret")
    } else if let Some(what) = looks_like(value) {
        format!("this looks like {what}")
    } else {
        return;
    };
    findings.error(at(), message).help(help);
}

/// Whether a name ends in what secrets are called: `DB_PASSWORD` does, `PASSWORD_LENGTH` and
/// `TOKEN_URL` do not.
pub(in crate::validate) fn names_a_secret(name: &str) -> bool {
    const ENDINGS: &[&str] = &[
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "token",
        "secret",
        "apikey",
        "accesskey",
        "secretkey",
        "privatekey",
        "encryptionkey",
        "signingkey",
        "credential",
        "credentials",
    ];
    let bare: String =
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    ENDINGS.iter().any(|ending| bare.ends_with(ending))
}

/// Whether a value could be the secret itself, and not a switch, a number or a reference.
fn says_something(value: &str) -> bool {
    let value = value.trim();
    let switch = ["true", "false", "yes", "no", "on", "off"]
        .iter()
        .any(|word| value.eq_ignore_ascii_case(word));
    let one_digit = value.len() == 1 && value.bytes().all(|byte| byte.is_ascii_digit());
    let reference = value.starts_with('{') && value.ends_with('}')
        || value.starts_with("$(") && value.ends_with(')')
        || value.starts_with('/');
    !value.is_empty() && !switch && !one_digit && !reference && !is_encrypted(value)
}

/// Whether a text has a secret in it by its own form.
pub(in crate::validate) fn looks_like_a_secret(text: &str) -> bool {
    looks_like(text).is_some()
}

/// What a value is by its own form, whatever its name.
fn looks_like(value: &str) -> Option<&'static str> {
    const PREFIXES: &[(&str, &str)] = &[
        ("AGE-SECRET-KEY-1", "an age key"),
        ("ghp_", "a GitHub token"),
        ("gho_", "a GitHub token"),
        ("ghs_", "a GitHub token"),
        ("github_pat_", "a GitHub token"),
        ("glpat-", "a GitLab token"),
        ("sk_live_", "a Stripe key"),
        ("rk_live_", "a Stripe key"),
        ("xoxb-", "a Slack token"),
        ("xoxp-", "a Slack token"),
        ("eyJhbGciOi", "a signed token"),
    ];
    if value.contains("-----BEGIN ") && value.contains("PRIVATE KEY-----") {
        return Some("a private key");
    }
    if has_password_in_address(value) {
        return Some("an address with a password in it");
    }
    let word = |prefix: &str| {
        value
            .split(|next: char| next.is_whitespace() || matches!(next, '=' | ',' | '"' | '\''))
            .any(|word| word.strip_prefix(prefix).is_some_and(|rest| rest.len() >= 8))
    };
    if let Some((_, what)) = PREFIXES.iter().find(|(prefix, _)| word(prefix)) {
        return Some(what);
    }
    let access_key = value.split(|next: char| !next.is_ascii_alphanumeric()).any(|word| {
        word.len() == 20
            && (word.starts_with("AKIA") || word.starts_with("ASIA"))
            && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    });
    access_key.then_some("an AWS access key")
}

/// `scheme://user:password@host`, where the password is not one that is filled in.
fn has_password_in_address(value: &str) -> bool {
    value.split("://").skip(1).any(|rest| {
        let end = rest.find(|next: char| next == '/' || next.is_whitespace());
        let authority = &rest[..end.unwrap_or(rest.len())];
        authority
            .rsplit_once('@')
            .and_then(|(user, _)| user.split_once(':'))
            .is_some_and(|(_, password)| says_something(password))
    })
}

fn is_encrypted(value: &str) -> bool {
    let value = value.trim();
    value.starts_with("-----BEGIN AGE ENCRYPTED FILE-----")
        && value.ends_with("-----END AGE ENCRYPTED FILE-----")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_told_from_names_about_them() {
        for name in ["DB_PASSWORD", "API_KEY", "apiKey", "JWT_SECRET", "GITHUB_TOKEN", "x-api-key"]
        {
            assert!(names_a_secret(name), "{name}");
        }
        for name in
            ["PASSWORD_MIN_LENGTH", "TOKEN_URL", "SECRET_NAME", "KEY", "PRIMARY_KEY", "PWD_DIR"]
        {
            assert!(!names_a_secret(name), "{name}");
        }
    }

    #[test]
    fn values_are_known_by_their_form() {
        for value in [
            "postgres://app:hunter2@db:5432/app",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
            "--token=ghp_0123456789abcdef",
            "AKIAIOSFODNN7EXAMPLE",
        ] {
            assert!(looks_like(value).is_some(), "{value}");
        }
        for value in [
            "postgres://app@db/app",
            "postgres://app:$(PASSWORD)@db",
            "https://a.example/x:y@z",
            "",
        ] {
            assert!(looks_like(value).is_none(), "{value}");
        }
        assert!(!says_something("yes") && !says_something("/run/secrets/x"));
    }
}
