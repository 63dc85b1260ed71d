//! Any text in the place of any template becomes objects of the tenant's own, the same every
//! time, or is refused with a reason and a place in a template; never a panic, and never more
//! work than the limits of a template allow.

#![no_main]

mod support;

use std::sync::Arc;
use std::sync::LazyLock;

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use tenantry::model::Commit;
use tenantry::model::Configuration;
use tenantry::model::Snapshot;
use tenantry::render::Templates;
use tenantry::render::render;
use tenantry::validate::ValidTenant;
use tenantry::validate::check;

/// Rendered for both customers below, for each component they have.
const FIRST: &str = "templates/component/web.yaml";

/// A customer of each folder of templates: a single component, and one with everything.
static TENANTS: LazyLock<[(&str, Arc<ValidTenant>); 2]> = LazyLock::new(|| {
    let files = support::example(&[
        "platform.yaml",
        "clusters/saigon.yaml",
        "components/ghost.yaml",
        "components/cmc.yaml",
        "components/main-class.yaml",
        "components/redis.yaml",
        "components/user.yaml",
        "packages/kiteclass/basic.yaml",
        "packages/paas/ghost.yaml",
        "tenants/siti/blog.yaml",
        "tenants/siti/tenant.yaml",
        "tenants/sunrise/school.yaml",
        "tenants/sunrise/tenant.yaml",
    ]);
    let snapshot = Snapshot::of(Commit::new("0"), &files);
    let names = Templates::built_in().names();
    let mut checked = check(&Configuration::read(None, &snapshot), &snapshot, &names);
    ["siti", "sunrise"].map(|name| {
        let valid = checked.valid.remove(&name.parse().expect("a name"));
        let folder = if name == "siti" { "templates/paas/" } else { "templates/kiteclass/" };
        (folder, valid.unwrap_or_else(|| panic!("{name} is held: {:?}", checked.findings)))
    })
});

fuzz_target!(|bytes: &[u8]| {
    let now: Timestamp = "2026-11-20T00:00:00Z".parse().expect("a time");
    let files = support::files(bytes, FIRST);
    let snapshot = Snapshot::of(Commit::new("0"), &files);
    let (templates, findings) = Templates::of(&snapshot);
    for finding in &findings {
        assert!(!finding.message.is_empty() && finding.help.is_some(), "{finding:?}");
        let lines = snapshot.text(&finding.place.file).map_or(0, |text| text.lines().count());
        assert!(finding.place.line as usize <= lines, "{finding:?} is outside of its file");
    }
    for (folder, tenant) in &*TENANTS {
        // What replaces no template of a folder is rendered often enough for the first customer.
        let concerns = files.keys().any(|path| path.starts_with(folder));
        if *folder != "templates/paas/" && !concerns {
            continue;
        }
        match render(tenant, &templates, now) {
            Ok(rendering) => {
                for resource in &rendering.rendered.resources {
                    let id = &resource.id;
                    let house = if id.is_namespace() { &id.name } else { &id.namespace };
                    let own = tenant.namespaces.iter().any(|own| own.name == **house);
                    assert!(own, "{id} stands outside of the tenant's namespaces");
                }
                let again = render(tenant, &templates, now).expect("it was rendered before");
                assert_eq!(again.rendered.digest, rendering.rendered.digest);
                assert!(rendering.reads.still_true(tenant, &templates));
            }
            Err(error) => {
                assert!(!error.message.is_empty() && error.help.is_some(), "{error:?}");
                assert!(error.place.file.starts_with("templates/"), "{error}");
            }
        }
    }
});
