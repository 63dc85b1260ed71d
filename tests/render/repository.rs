//! Templates of the repository's own, in the places of those built in.

use tenantry::model::Finding;

use super::fixture::Files;
use super::fixture::NOW;
use super::fixture::Rendered as _;

const SETTINGS: &str = "templates/paas/subscription/50-settings.yaml";

fn told(finding: &Finding) -> String {
    format!(
        "{}:{} {} [{}] {}",
        finding.place.file,
        finding.place.line,
        finding.message,
        finding.rule,
        finding.help.as_deref().unwrap_or("")
    )
}

#[test]
fn a_file_of_the_same_name_replaces_a_built_in_template_and_no_other() {
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ component.service }}}\ndata: {host: {{ subscription.host }}}\n";
    let files = Files::example().with("templates/component/web.yaml", template);
    let rendering = files.render("siti");
    assert_eq!(
        rendering.named("ConfigMap", "blog-ghost").body["data"]["host"],
        "siti.ghost.pods.example"
    );
    assert!(!rendering.ids().iter().any(|id| id.starts_with("Deployment/")));
    assert!(rendering.ids().contains("Ingress/customer-siti/blog-ingress"));
}

#[test]
fn a_file_is_added_to_a_folder_or_emptied() {
    let settings = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ subscription.name ~ \"-plan\" }}\ndata:\n  plan: {{ package.title }}\n";
    let files = Files::example()
        .with(SETTINGS, settings)
        .with("templates/paas/subscription/40-ingress.yaml", "{# no way in #}\n");
    let rendering = files.render("toko-batik");
    assert_eq!(rendering.named("ConfigMap", "automation-plan").body["data"]["plan"], "n8n");
    assert_eq!(rendering.named("ConfigMap", "journal-plan").body["data"]["plan"], "Ghost");
    assert!(!rendering.ids().iter().any(|id| id.starts_with("Ingress/")));
}

#[test]
fn a_broken_template_is_a_finding_and_holds_only_those_who_use_it() {
    let files = Files::example().with("templates/component/redis.yaml", "a: 1\n{% if x %}\nb: 2\n");
    let repository = files.read();
    assert_eq!(
        repository.findings.iter().map(told).collect::<Vec<_>>(),
        [
            "templates/component/redis.yaml:3 unexpected end of input, expected end of block [template-syntax] see the template language of minijinja"
        ],
    );
    let refusal = repository.render("acme", NOW).unwrap_err();
    assert_eq!(&*refusal.place.file, "templates/component/redis.yaml");
    repository.render("siti", NOW).unwrap();
}

#[test]
fn a_partial_that_is_not_there_is_a_finding() {
    let files = Files::example().with(SETTINGS, "a: 1\n{% include \"shared/_nothing.yaml\" %}\n");
    assert_eq!(
        files.read().findings.iter().map(told).collect::<Vec<_>>(),
        [format!(
            "{SETTINGS}:2 there is no partial `shared/_nothing.yaml` [template-syntax] add it, or name another"
        )],
    );
}

#[test]
fn an_undefined_name_is_told_with_template_and_line() {
    let head = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: settings }\ndata:\n";
    for (line, expected) in [
        ("  a: {{ subscripton.name }}\n", "`subscripton` is undefined"),
        ("  a: {{ package.tilte }}\n", "`package.tilte` is undefined"),
        ("  a: {{ cluster.api.Deploymnet }}\n", "`cluster.api.Deploymnet` is undefined"),
        ("{% if component.port %}{% endif %}\n", "`component` is undefined"),
    ] {
        let files = Files::example().with(SETTINGS, format!("{head}{line}"));
        let refusal = files.try_render("siti").unwrap_err();
        assert_eq!(refusal.to_string(), format!("{SETTINGS}:5: {expected}"));
        assert!(refusal.help.is_some());
    }
}

#[test]
fn an_absent_optional_field_is_none() {
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: settings }\ndata:\n  a: {{ package.database | default(\"none\") }}\n";
    let rendering = Files::example().with(SETTINGS, template).render("siti");
    assert_eq!(rendering.named("ConfigMap", "settings").body["data"]["a"], "none");
}

#[test]
fn an_error_in_a_partial_is_told_at_the_partial() {
    let files = Files::example().with("templates/shared/_quota.yaml", "\n\nname: {{ nobody }}\n");
    let refusal = files.try_render("acme").unwrap_err().to_string();
    assert_eq!(refusal, "templates/shared/_quota.yaml:3: `nobody` is undefined");
}

#[test]
fn text_that_is_no_yaml_is_told_at_the_line_that_made_it() {
    let template = "{% for route in (components | first).routes %}\n# {{ route }}\n{% endfor %}\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata:\n  a: [{{ subscription.name }}\n";
    let refusal = Files::example().with(SETTINGS, template).refused("siti");
    assert!(refusal.starts_with(&format!("{SETTINGS}:8: ")), "{refusal}");
}

#[test]
fn a_template_can_refuse_with_words_of_its_own() {
    let template = "{% if subscription.restarts == 0 %}\n{{ fail(\"count restarts up first\") }}\n{% endif %}\n";
    let refusal = Files::example().with(SETTINGS, template).refused("siti");
    assert_eq!(
        refusal,
        format!("{SETTINGS}:2: count restarts up first\n  help: correct the template")
    );
}
