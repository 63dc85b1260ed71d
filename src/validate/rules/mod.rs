//! The rules, one per file. A rule's name is its file's, with dashes.

mod document_outside_folder;
mod duplicate_name;
mod duplicate_entry;
mod missing_platform;
mod unknown_reference;
mod missing_contact;
mod cluster_undecided;

mod ill_formed_domain;
mod reserved_domain;
mod domain_taken;
mod ill_formed_hostname;
mod ill_formed_namespace;
mod foreign_namespace;

mod placement_mismatch;
mod template_missing;
mod component_cycle;
mod missing_need;
mod missing_port;
mod ill_formed_path;
mod route_taken;
mod ill_formed_environment;
mod unknown_placeholder;
mod unknown_credential;
mod secret_in_clear;
mod ill_formed_image;
mod image_not_pinned;

mod unknown_quota;
mod quota_too_small;
mod limits_below_requests;
mod maximum_below_package;
mod override_exceeds_package;
mod capacity_exceeded;
mod unsupported_version;
mod unknown_storage_class;
mod missing_database;
mod ill_formed_database_name;

mod negative_price;
mod mixed_currencies;
mod raise_not_sold;
mod empty_term;
mod expiry_before_start;
mod cancelled_without_end;
mod purged_subscription;
mod ill_formed_cron;

mod missing_backup;
mod missing_check;
mod ill_formed_backup_name;
mod unknown_setting;

mod unknown_timezone;
mod ill_formed_email;
mod ill_formed_colour;
mod ill_formed_recipient;
mod percent_out_of_range;
mod ill_formed_host;
mod ill_formed_channel;

pub(super) use foreign_namespace::is_system;
pub(super) use secret_in_clear::looks_like_a_secret;
pub(super) use secret_in_clear::names_a_secret;

use std::collections::BTreeSet;

use super::findings::Findings;
use super::view::Customer;
use super::view::World;
use crate::model::Name;
use crate::model::on_all_cores;

/// One thing that is not allowed, or not wise.
pub(super) struct Rule {
    pub(super) id: &'static str,
    /// What it asks for, in one sentence.
    pub(super) about: &'static str,
    /// Looks at everything at once.
    whole: Option<fn(&World<'_>, &mut Findings)>,
    /// Looks at one tenant alone: at its documents, and at what serves everybody. Nothing that
    /// other tenants do changes whether it finds something.
    each: Option<fn(&World<'_>, &Customer<'_>, &mut Findings)>,
}

impl Rule {
    const fn whole(
        id: &'static str,
        about: &'static str,
        whole: fn(&World<'_>, &mut Findings),
    ) -> Self {
        Self { id, about, whole: Some(whole), each: None }
    }

    const fn each(
        id: &'static str,
        about: &'static str,
        each: fn(&World<'_>, &Customer<'_>, &mut Findings),
    ) -> Self {
        Self { id, about, whole: None, each: Some(each) }
    }

    const fn and_each(self, each: fn(&World<'_>, &Customer<'_>, &mut Findings)) -> Self {
        Self { each: Some(each), ..self }
    }
}

/// Every rule there is.
pub(super) const RULES: &[Rule] = &[
    document_outside_folder::RULE,
    duplicate_name::RULE,
    duplicate_entry::RULE,
    missing_platform::RULE,
    unknown_reference::RULE,
    missing_contact::RULE,
    cluster_undecided::RULE,
    ill_formed_domain::RULE,
    reserved_domain::RULE,
    domain_taken::RULE,
    ill_formed_hostname::RULE,
    ill_formed_namespace::RULE,
    foreign_namespace::RULE,
    placement_mismatch::RULE,
    template_missing::RULE,
    component_cycle::RULE,
    missing_need::RULE,
    missing_port::RULE,
    ill_formed_path::RULE,
    route_taken::RULE,
    ill_formed_environment::RULE,
    unknown_placeholder::RULE,
    unknown_credential::RULE,
    secret_in_clear::RULE,
    ill_formed_image::RULE,
    image_not_pinned::RULE,
    unknown_quota::RULE,
    quota_too_small::RULE,
    limits_below_requests::RULE,
    maximum_below_package::RULE,
    override_exceeds_package::RULE,
    capacity_exceeded::RULE,
    unsupported_version::RULE,
    unknown_storage_class::RULE,
    missing_database::RULE,
    ill_formed_database_name::RULE,
    negative_price::RULE,
    mixed_currencies::RULE,
    raise_not_sold::RULE,
    empty_term::RULE,
    expiry_before_start::RULE,
    cancelled_without_end::RULE,
    purged_subscription::RULE,
    ill_formed_cron::RULE,
    missing_backup::RULE,
    missing_check::RULE,
    ill_formed_backup_name::RULE,
    unknown_setting::RULE,
    unknown_timezone::RULE,
    ill_formed_email::RULE,
    ill_formed_colour::RULE,
    ill_formed_recipient::RULE,
    percent_out_of_range::RULE,
    ill_formed_host::RULE,
    ill_formed_channel::RULE,
];

/// What the reader asks for.
const READING: &[(&str, &str)] = &[
    ("unread-file", "Files are files: no links, and none too large."),
    ("unreadable-yaml", "Files are YAML in UTF-8, without anchors, tags and duplicate keys."),
    ("not-a-document", "A document is a map with `apiVersion`, `kind`, `metadata` and `spec`."),
    ("unknown-version", "A document says `apiVersion: tenantry.dev/v1`."),
    ("unknown-kind", "A document's kind is one that there is."),
    ("unknown-field", "A document has no fields that nobody reads."),
    ("missing-field", "A document has the fields that it needs."),
    ("unknown-value", "A word stands where it means something."),
    ("wrong-type", "Texts, numbers, lists and maps stand where they are expected."),
    ("wrong-value", "Names, amounts, terms and dates are written as such."),
];

/// Every name that a finding may have, and what it asks for.
pub fn descriptions() -> impl Iterator<Item = (&'static str, &'static str)> {
    READING.iter().copied().chain(RULES.iter().map(|rule| (rule.id, rule.about)))
}

/// Asks every rule, those that look at one tenant alone only about the tenants that are worth it.
/// Tells about whom these had something to say.
pub(super) fn findings(
    world: &World<'_>,
    worth_it: impl Fn(&Name) -> bool,
) -> (Findings, BTreeSet<Name>) {
    let looked_at: Vec<&Customer<'_>> =
        world.customers.iter().filter(|customer| worth_it(customer.name)).collect();
    // Rules know nothing of each other.
    let told = on_all_cores(RULES, |rule| {
        let mut findings = Findings::of(rule.id);
        let mut told_of = Vec::new();
        if let Some(check) = rule.whole {
            check(world, &mut findings);
        }
        if let Some(check) = rule.each {
            for customer in &looked_at {
                let before = findings.len();
                check(world, customer, &mut findings);
                if findings.len() > before {
                    told_of.push(customer.name.clone());
                }
            }
        }
        (findings, told_of)
    });
    let (findings, told_of): (Vec<_>, Vec<_>) = told.into_iter().unzip();
    (Findings::all(findings), told_of.into_iter().flatten().collect())
}
