//! What a change concerns is found from what each rendering really read.

use std::collections::BTreeSet;

use super::fixture::Files;
use super::fixture::NOW;

/// The tenants that a change of the example concerns.
///
/// Whoever it does not concern is rendered as before: what is not looked at again is not missed.
#[track_caller]
fn concerns(changed: &Files) -> BTreeSet<String> {
    let (before, after) = (Files::example().read(), changed.read());
    let units = before.checked.valid.keys().map(ToString::to_string);
    units
        .filter(|unit| {
            let was = before.render(unit, NOW).unwrap();
            let concerned = !was.reads.still_true(after.tenant(unit), &after.templates);
            let is = after.render(unit, NOW).unwrap();
            assert!(concerned || was.rendered.digest == is.rendered.digest, "{unit} was missed");
            concerned
        })
        .collect()
}

#[track_caller]
fn check(changed: &Files, expected: &[&str]) {
    assert_eq!(concerns(changed), expected.iter().map(|name| (*name).to_owned()).collect());
}

const KITECLASS: &[&str] = &["acme", "globex", "sunrise"];
const N8N: &[&str] = &["budi", "rizky", "toko-batik"];
const CLUSTER: &[&str] =
    &["acme", "budi", "globex", "rizky", "siti", "sunrise", "toko-batik", "warung-kopi"];

#[test]
fn nothing_changed_concerns_nobody() {
    check(&Files::example(), &[]);
}

#[test]
fn a_comment_concerns_nobody() {
    check(&Files::example().edit("packages/paas/n8n.yaml", "spec:\n", "# why\nspec:\n"), &[]);
}

#[test]
fn fields_that_no_template_asks_for_concern_nobody() {
    for (file, from, to) in [
        ("platform.yaml", "usage: 90", "usage: 80"),
        ("platform.yaml", "support@kiteclass.com", "help@kiteclass.com"),
        ("clusters/saigon.yaml", "region: vn-south", "region: vn-north"),
        ("packages/kiteclass/standard.yaml", "price: 199.00 USD", "price: 219.00 USD"),
        ("components/n8n.yaml", "title: n8n", "title: Workflows"),
    ] {
        check(&Files::example().edit(file, from, to), &[]);
    }
}

#[test]
fn a_package_concerns_those_who_bought_it() {
    let files = Files::example();
    let standard = "packages/kiteclass/standard.yaml";
    check(&files.clone().edit(standard, "title: STANDARD", "title: Standard"), &["acme"]);
    check(&files.clone().edit(standard, "limits.cpu: 14", "limits.cpu: 15"), &["acme"]);
    check(&files.edit(standard, "smoke, stage", "smokes, stage"), &["acme"]);
}

#[test]
fn a_component_concerns_those_who_run_it() {
    let files = Files::example();
    check(&files.clone().edit("components/n8n.yaml", "n8n:1.100.1", "n8n:1.101.0"), N8N);
    check(&files.clone().edit("components/n8n.yaml", "/healthz", "/health"), N8N);
    check(
        &files.edit("components/redis.yaml", "redis:7.4-alpine", "redis:7.4.1-alpine"),
        KITECLASS,
    );
}

#[test]
fn an_image_of_their_own_keeps_a_tenant_out_of_a_change() {
    let own = |files: Files| {
        files.edit(
            "tenants/budi/automation.yaml",
            "  package: n8n\n",
            "  package: n8n\n  overrides: { components: { n8n: { image: \"n8nio/n8n:1.99.0\" } } }\n",
        )
    };
    let before = own(Files::example());
    let after = before.clone().edit("components/n8n.yaml", "n8n:1.100.1", "n8n:1.101.0");
    let reads = before.render("budi").reads;
    let now = after.read();
    assert!(reads.still_true(now.tenant("budi"), &now.templates));
}

#[test]
fn the_cluster_and_the_platform_concern_everybody_who_asks() {
    let files = Files::example();
    check(
        &files.clone().edit("clusters/saigon.yaml", "namespace: ingress-nginx", "namespace: edge"),
        CLUSTER,
    );
    check(&files.clone().edit("clusters/saigon.yaml", "\"1.33\"", "\"1.34\""), CLUSTER);
    check(&files.clone().edit("clusters/saigon.yaml", "port: 5432", "port: 5433"), KITECLASS);
    check(&files.edit("platform.yaml", "expiring: 7 days", "expiring: 8 days"), CLUSTER);
}

#[test]
fn a_template_concerns_those_whose_rendering_used_it() {
    let redis = include_str!("../../templates/component/redis.yaml");
    let files = Files::example();
    check(&files.clone().with("templates/component/redis.yaml", redis), &[]);
    let changed = redis.replace("revisionHistoryLimit: 3", "revisionHistoryLimit: 4");
    check(&files.clone().with("templates/component/redis.yaml", changed), KITECLASS);
    let mariadb = include_str!("../../templates/component/mariadb.yaml");
    let changed = mariadb.replace("revisionHistoryLimit: 3", "revisionHistoryLimit: 4");
    check(&files.clone().with("templates/component/mariadb.yaml", changed), &["warung-kopi"]);
    let quota = include_str!("../../templates/shared/_quota.yaml");
    let changed = quota.replace("cpu: 50m", "cpu: 60m");
    check(&files.clone().with("templates/shared/_quota.yaml", changed), CLUSTER);
    let added = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: more }\n";
    check(&files.with("templates/kiteclass/namespace/90-more.yaml", added), KITECLASS);
}

#[test]
fn a_tenants_own_documents_concern_that_tenant() {
    let files = Files::example();
    check(&files.clone().edit("tenants/acme/tenant.yaml", "ACME Corp", "ACME Ltd"), &["acme"]);
    check(&files.edit("tenants/siti/blog.yaml", "spec:\n", "spec:\n  restarts: 1\n"), &["siti"]);
}
