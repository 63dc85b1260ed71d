//! What is allowed, rule by rule.

mod repository;

mod earlier;
mod example;
mod held;
mod hostile;
mod order;
mod report;
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
mod unknown_change;
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

/// The rules of the reader are all in one file; the others have one each.
#[test]
fn a_rule_is_named_by_its_file_has_a_test_and_is_in_the_list() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules: std::collections::BTreeSet<&str> =
        tenantry::validate::rules().map(|(id, _)| id).collect();
    let files = std::fs::read_dir(root.join("src/validate/rules")).unwrap();
    let mut seen = 0;
    for file in files.map(|file| file.unwrap().file_name().into_string().unwrap()) {
        if file != "mod.rs" {
            let id = file.trim_end_matches(".rs").replace('_', "-");
            assert!(rules.contains(id.as_str()), "{id} is in no list");
            assert!(root.join("tests/validate").join(&file).exists(), "{id} has no test");
            seen += 1;
        }
    }
    assert!(seen > 40, "only {seen} rules were found");
}
