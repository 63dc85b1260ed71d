//! No template is endless work.

use std::time::Duration;
use std::time::Instant;

use super::fixture::Files;
use super::fixture::NOW;

const BOMB: &str = "templates/paas/subscription/50-bomb.yaml";

/// Renders a template that is too much, and tells why it is not rendered.
#[track_caller]
fn refused(template: &str) -> String {
    let repository = Files::example().with(BOMB, template).read();
    let start = Instant::now();
    let refusal = repository.render("toko-batik", NOW).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    refusal.message
}

fn nested(depth: usize, body: &str) -> String {
    let open = "{% for a in subscriptions %}".repeat(depth);
    format!("{open}{body}{}", "{% endfor %}".repeat(depth))
}

#[test]
fn loops_run_out_of_fuel() {
    assert_eq!(refused(&nested(20, "{{ a.name }}\n")), "the template takes more than 200000 steps");
}

#[test]
fn output_has_an_end() {
    let long = format!("{}\n", "# a comment to fill the output\n".repeat(60));
    assert_eq!(refused(&nested(10, &long)), "the template becomes more than 524288 bytes");
}

#[test]
fn nesting_has_an_end() {
    let message = refused(&nested(70, "a\n"));
    assert!(message.contains("recursion") || message.contains("nest"), "{message}");
}

#[test]
fn text_does_not_double_for_ever() {
    let message = refused(&"{% set a = tenant.organisation ~ tenant.organisation %}\n{% set tenant = {\"organisation\": a} %}\n".repeat(40));
    assert!(message.contains("values is built here"), "{message}");
}

#[test]
fn filters_make_no_endless_text() {
    let (few, many) = ("a".repeat(900), "b".repeat(900));
    for filter in [format!("replace(\"a\", \"{many}\")"), format!("join(\"{many}\")")] {
        let message = refused(&format!("a: {{{{ \"{few}\" | {filter} }}}}\n"));
        assert_eq!(message, "the text gets too long");
    }
}

#[test]
fn a_template_is_not_longer_than_it_may_be() {
    let message = refused(&"# a comment\n".repeat(6000));
    assert_eq!(message, "the template has 72000 bytes; the most is 65536");
}

#[test]
fn deep_values_are_refused() {
    let message = refused(&format!("a: {}1{}\n", "[".repeat(100), "]".repeat(100)));
    assert!(message.contains("nested deeper"), "{message}");
}
