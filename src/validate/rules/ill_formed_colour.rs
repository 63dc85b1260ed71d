//! Colours are written as style sheets have them.

use super::Rule;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Customer;
use crate::validate::view::World;

pub(super) const RULE: Rule =
    Rule::each("ill-formed-colour", "Colours are written `#RRGGBB`.", check);

fn check(_: &World<'_>, customer: &Customer<'_>, findings: &mut Findings) {
    let Some(tenant) = customer.tenant else { return };
    let Some(branding) = &tenant.spec.branding else { return };
    for (path, colour) in [
        ("spec.branding.primaryColor", &branding.primary_color),
        ("spec.branding.secondaryColor", &branding.secondary_color),
    ] {
        let Some(colour) = colour else { continue };
        let fits = colour.strip_prefix('#').is_some_and(|digits| {
            matches!(digits.len(), 3 | 6) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        if !fits {
            findings
                .error(tenant.at(path), format!("`{colour}` is not a colour"))
                .help("write it in quotes, such as `\"#3B82F6\"`");
        }
    }
}
