//! `template-missing`.

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
