//! Addresses of people can be written to.

use super::Rule;
use crate::model::names::is_domain;
use crate::validate::findings::At;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Customer;
use crate::validate::view::World;

pub(super) const RULE: Rule =
    Rule::whole("ill-formed-email", "Addresses of people can be written to.", check_platform)
        .and_each(check_customer);

fn check_platform(world: &World<'_>, findings: &mut Findings) {
    let Some(platform) = &world.configuration.platform else { return };
    let mut look = |email: &str, path: &'static str| {
        if !is_email(email) {
            tell(email, platform.at(path), findings);
        }
    };
    if let Some(mail) = &platform.spec.mail {
        look(&mail.from, "spec.mail.from");
        if let Some(reply_to) = &mail.reply_to {
            look(reply_to, "spec.mail.replyTo");
        }
    }
    if let Some(support) = &platform.spec.support {
        look(&support.email, "spec.support.email");
    }
}

fn check_customer(_: &World<'_>, customer: &Customer<'_>, findings: &mut Findings) {
    let Some(tenant) = customer.tenant else { return };
    for (index, contact) in tenant.spec.contacts.iter().enumerate() {
        if !is_email(&contact.email) {
            tell(&contact.email, tenant.at(format!("spec.contacts.{index}.email")), findings);
        }
    }
}

fn tell(email: &str, at: At, findings: &mut Findings) {
    findings
        .error(at, format!("`{email}` is not an address"))
        .help("write the address alone, such as `admin@example.com`");
}

/// What mail servers accept in practice: no quotes, no spaces, a domain.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    (1..=64).contains(&local.len())
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte))
        && is_domain(&domain.to_ascii_lowercase())
}
