//! `template-missing`.

use super::repository::document;
use super::repository::repository;

#[test]
fn a_package_names_templates_that_are_there() {
    let repository =
        repository().changed("packages/basic.yaml", "templates: shop", "templates: shpo");
    insta::assert_snapshot!(repository.said(), @"
    packages/basic.yaml:11:16 error template-missing: there are no templates in `templates/shpo/`
      help: did you mean `shop`?
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn a_component_names_a_template_that_is_there() {
    let repository = repository().adding("components/web.yaml", "template: component/wbe.yaml");
    insta::assert_snapshot!(repository.said(), @"
    components/web.yaml:12:13 error template-missing: there is no template `component/wbe.yaml`
      help: did you mean `component/web.yaml`?
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn templates_that_are_missing_give_nobody_a_foreign_namespace() {
    let repository = repository()
        .with("packages/two.yaml", &document("Package", "two", "product: shop\ntitle: Two\nruns: cluster\nplacement: { templates: shpo, namespacePrefix: shop-, namespacePer: tenant, hostname: \"{subdomain}.two.{domain}\" }\ncomponents: [{ component: web }]\nquota: { limits.cpu: \"2\" }\n"))
        .with("tenants/acme/two.yaml", &document("Subscription", "two", "tenant: acme\npackage: two\nstarts: 2026-02-02\n"))
        .changed("packages/basic.yaml", "namespacePrefix: shop-", "namespacePrefix: shop-\n    namespacePer: tenant");
    insta::assert_snapshot!(repository.said(), @"
    packages/two.yaml:9:27 error template-missing: there are no templates in `templates/shpo/`
      help: did you mean `shop`?
    held: acme; valid: globex
    ");
}

#[test]
fn a_task_has_a_template_that_does_it() {
    let repository = repository()
        .backed_up()
        .changed("packages/basic.yaml", "templates: shop", "templates: component")
        .task("backup", "");
    assert!(
        repository.said().contains("there is no template `component/task/backup.yaml`"),
        "{}",
        repository.said()
    );
}
