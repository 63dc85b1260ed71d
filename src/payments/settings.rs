//! How providers know us: keys and addresses, in one file that only the daemon may read, or in one
//! variable of the environment. Who is offered for which currency stands in the `Platform`
//! document; nothing of here does.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use super::provider::midtrans;
use super::provider::momo;
use super::provider::stripe;
use super::provider::vnpay;
use crate::model::Secret;

/// Where the settings of providers are.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Payments")]
pub struct Settings {
    /// Take payments with the keys in this YAML file, or with those in `TENANTRY_PAYMENTS`
    #[arg(long, value_name = "FILE", env = "TENANTRY_PAYMENTS_FILE")]
    pub payments_file: Option<PathBuf>,

    /// The text of `TENANTRY_PAYMENTS`: never an argument, which every user of the machine could see.
    #[arg(skip = from_environment())]
    pub payments: Option<Secret>,
}

fn from_environment() -> Option<Secret> {
    std::env::var("TENANTRY_PAYMENTS").ok().map(Secret::new)
}

/// Who takes money for us, and how they know us.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Providers {
    pub midtrans: Option<midtrans::Settings>,
    pub stripe: Option<stripe::Settings>,
    pub vnpay: Option<vnpay::Settings>,
    pub momo: Option<momo::Settings>,
    /// Whether payments by nobody are taken, which customers confirm themselves.
    #[serde(default)]
    pub dummy: bool,
}

/// Why no payments can be taken. What stands in the file is not repeated.
#[derive(Debug, thiserror::Error)]
pub enum InvalidProviders {
    #[error("the settings of payments could not be read from {}: make it readable for this user", .file.display())]
    File { file: PathBuf, source: std::io::Error },
    #[error("the settings of payments are not YAML")]
    Yaml,
    #[error("the settings of payments are wrong at `{at}`: {help}")]
    Field { at: String, help: &'static str },
    #[error(
        "MoMo needs to know where to send notifications: say where the portal is with --portal-url"
    )]
    NoPortal,
    #[error("HTTPS cannot be spoken: the machine's root certificates cannot be read ({0})")]
    Certificates(std::io::Error),
}

impl Settings {
    /// The settings; none of a provider where nothing is said.
    pub fn read(&self) -> Result<Providers, InvalidProviders> {
        let text = match (&self.payments_file, &self.payments) {
            (Some(file), _) => Secret::new(
                std::fs::read_to_string(file)
                    .map_err(|source| InvalidProviders::File { file: file.clone(), source })?,
            ),
            (None, Some(text)) => text.clone(),
            (None, None) => return Ok(Providers::default()),
        };
        Providers::of(&text)
    }
}

impl Providers {
    /// Reads the text of the settings.
    pub fn of(text: &Secret) -> Result<Self, InvalidProviders> {
        let value: Value =
            serde_yaml::from_str(text.reveal()).map_err(|_| InvalidProviders::Yaml)?;
        // Of what serde says only its kind is repeated: the rest quotes what it found, and what
        // stands here is secret.
        serde_path_to_error::deserialize(value).map_err(|error| {
            let at = error.path().to_string();
            let said = error.into_inner().to_string();
            let help = if at == "portalUrl" {
                "where the portal is, --portal-url says for mails and payments alike: remove it here"
            } else if said.starts_with("missing field") {
                "a field is missing; see `tenantry run --help` and the reference"
            } else if said.starts_with("unknown field") {
                "there is no such field"
            } else if said.starts_with("give a list") {
                "give a list of keys of 12 characters at least"
            } else {
                "it is not what belongs there: keys are lists, addresses begin with https://"
            };
            InvalidProviders::Field { at, help }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_and_no_secret_with_it() {
        for (text, told) in [
            (
                "stripe: { secretKeys: hunter2hunter2, webhookSecrets: [whsec_hunter2] }",
                "secretKeys",
            ),
            ("stripe: { secretKeys: [hunter2] , webhookSecrets: [whsec_hunter2] }", "secretKeys"),
            ("stripe: { secretKeys: [hunter2hunter2] }", "stripe"),
            ("midtrans: { serverKeys: [hunter2hunter2], hunter2: 1 }", "midtrans"),
            (
                "vnpay: { terminal: A, hashSecrets: [hunter2hunter2], payUrl: 'http://hunter2' }",
                "payUrl",
            ),
            ("portalUrl: https://hunter2.example", "--portal-url"),
            ("a: [", "YAML"),
        ] {
            let error = Providers::of(&Secret::new(text)).unwrap_err();
            let said = format!("{error} {error:?}");
            assert!(said.contains(told), "{said}");
            assert!(!said.replace("midtrans.hunter2", "").contains("hunter2"), "{said}");
        }
        let good = "stripe: { secretKeys: [hunter2hunter2], webhookSecrets: [whsec_hunter2, whsec_hunter3] }";
        let good = Providers::of(&Secret::new(good)).unwrap();
        assert!(!format!("{good:?}").contains("hunter2"));
        assert!(good.stripe.is_some_and(|stripe| stripe.live));
    }
}
