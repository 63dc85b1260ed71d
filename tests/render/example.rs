//! The example, rendered.

use std::collections::BTreeMap;

use tenantry::model::Phase;
use tenantry::model::component::PLACEHOLDERS;

use super::fixture::Files;
use super::fixture::NOW;
use super::fixture::Rendered as _;
use super::fixture::text;

#[test]
fn every_tenant_of_the_example_is_rendered() {
    let repository = Files::example().read();
    assert_eq!(repository.findings, []);
    for unit in repository.checked.valid.keys() {
        let name = unit.to_string();
        if let Err(error) = repository.render(&name, NOW) {
            panic!("{name}: {error} ({:?})", error.help);
        }
    }
}

#[test]
fn acme_is_the_instance_of_the_report() {
    insta::assert_snapshot!("acme", text(&Files::example().render("acme")));
}

#[test]
fn a_customer_with_a_blog_has_its_own_database_beside_it() {
    insta::assert_snapshot!("warung-kopi", text(&Files::example().render("warung-kopi")));
}

#[test]
fn two_subscriptions_of_a_customer_share_a_namespace() {
    insta::assert_snapshot!("toko-batik", text(&Files::example().render("toko-batik")));
}

#[test]
fn a_domain_of_the_customers_own_has_its_own_certificate() {
    let ingress = Files::example().render("globex").one("Ingress").body.clone();
    let certificates = ingress["spec"]["tls"].as_array().unwrap();
    let hosts: Vec<&str> =
        certificates.iter().map(|tls| tls["hosts"][0].as_str().unwrap()).collect();
    assert_eq!(hosts, ["globex.kiteclass.com", "learn.globex.example"]);
    assert_ne!(certificates[0]["secretName"], certificates[1]["secretName"]);
}

/// With an issuer that asks over HTTP, no customer would ever get a certificate without it.
#[test]
fn certificates_are_issued_although_everything_is_closed() {
    for tenant in ["acme", "siti"] {
        let rendering = Files::example().render(tenant);
        let policy = &rendering.named("NetworkPolicy", "allow-certificate-challenge").body["spec"];
        let pods = &policy["podSelector"]["matchLabels"];
        assert_eq!(pods["acme.cert-manager.io/http01-solver"], "true");
        let from = &policy["ingress"][0]["from"][0]["namespaceSelector"]["matchLabels"];
        assert_eq!(from["kubernetes.io/metadata.name"], "ingress-nginx");
    }
}

#[test]
fn rendering_again_gives_the_same() {
    let files = Files::example();
    for tenant in ["acme", "globex", "toko-batik", "rizky"] {
        let (one, other) = (files.render(tenant), files.render(tenant));
        assert_eq!(one.rendered.digest, other.rendered.digest);
        assert_eq!(one.rendered.resources, other.rendered.resources);
    }
}

#[test]
fn what_was_rendered_reads_as_it_was() {
    for tenant in ["acme", "warung-kopi"] {
        for resource in Files::example().render(tenant).rendered.resources {
            let text = serde_yaml::to_string(&resource.body).unwrap();
            let (read, refusals) = tenantry::model::yaml::read(text.as_bytes());
            assert_eq!(refusals, []);
            assert_eq!(read[0].to_json(), resource.body, "{text}");
        }
    }
}

#[test]
fn the_order_and_the_places_of_documents_do_not_matter() {
    let example = Files::example();
    let mut documents: Vec<(String, String)> = Vec::new();
    for (path, content) in &example.0 {
        let folder = path.strip_prefix("tenants/").and_then(|rest| rest.split_once('/'));
        let folder = folder.map_or(String::new(), |(tenant, _)| format!("tenants/{tenant}/"));
        documents.push((folder, String::from_utf8(content.clone()).unwrap()));
    }
    documents.reverse();
    let mut gathered = Files(BTreeMap::new());
    for (folder, text) in documents {
        let file = gathered.0.entry(format!("{folder}all.yaml")).or_default();
        file.extend_from_slice(format!("---\n{text}\n").as_bytes());
    }
    for tenant in ["acme", "globex", "toko-batik"] {
        assert_eq!(
            gathered.render(tenant).rendered.digest,
            example.render(tenant).rendered.digest,
            "{tenant}"
        );
    }
}

#[test]
fn names_of_the_subscription_are_filled_into_the_environment() {
    let mut files = Files::example();
    for name in PLACEHOLDERS {
        let variable = format!("    A_{}: {{ value: \"<{{{name}}}>\" }}\n", name.to_uppercase());
        files = files.edit(
            "components/ghost.yaml",
            "  environment:\n",
            &format!("  environment:\n{variable}"),
        );
    }
    let deployment = files.render("siti").one("Deployment").body.clone();
    let variables = &deployment["spec"]["template"]["spec"]["containers"][0]["env"];
    let variables = variables.as_array().unwrap().iter();
    let filled: BTreeMap<&str, &str> = variables
        .map(|variable| (variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap()))
        .filter_map(|(name, value)| Some((name.strip_prefix("A_")?, value)))
        .collect();
    let expected = [
        ("DOMAIN", "<pods.example>"),
        ("EMAIL", "<siti@mail.example>"),
        ("HOST", "<siti.ghost.pods.example>"),
        ("INSTANCE", "<blog>"),
        ("NAMESPACE", "<customer-siti>"),
        ("ORGANISATION", "<Siti Menulis>"),
        ("PACKAGE", "<ghost>"),
        ("PRODUCT", "<paas>"),
        ("SUBDOMAIN", "<siti>"),
        ("SUBSCRIPTION", "<blog>"),
        ("TENANT", "<siti>"),
    ];
    assert_eq!(filled, BTreeMap::from(expected));
}

#[test]
fn the_clock_changes_a_tenant_when_the_first_of_its_subscriptions_changes() {
    let rendering = Files::example().render("rizky");
    assert_eq!(rendering.next_change.unwrap().to_string(), "2026-12-10T17:00:00Z");
    let phases: Vec<_> = rendering.phases.values().collect();
    assert_eq!(phases, [&Phase::Suspended]);
}
