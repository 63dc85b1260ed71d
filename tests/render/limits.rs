//! No template is endless work.

use std::sync::LazyLock;
use std::time::Duration;
use std::time::Instant;

use proptest::prelude::*;
use tenantry::model::Commit;
use tenantry::model::Snapshot;
use tenantry::render::Templates;
use tenantry::render::render;

use super::fixture::Files;
use super::fixture::NOW;
use super::fixture::Repository;

static EXAMPLE: LazyLock<Repository> = LazyLock::new(|| Files::example().read());

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
fn deep_expressions_are_refused_or_read_but_never_overflow() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{\"a\": ", "}"),
        ("not ", ""),
        ("- ", ""),
        ("a | default(", ")"),
        ("a if a else ", ""),
        ("a.b ~ ", ""),
        ("[1] + ", ""),
    ] {
        let depth = 1900 / (open.len() + close.len());
        let _ = Files::example()
            .with(BOMB, format!("{{{{ {}a{} }}}}\n", open.repeat(depth), close.repeat(depth)))
            .try_render("siti");
    }
    let _ =
        refused(&format!("{}{}", "{% if tenant %}\n".repeat(1000), "{% endif %}\n".repeat(1000)));
}

#[test]
fn deep_values_are_refused() {
    let message = refused(&format!("a: {}1{}\n", "[".repeat(100), "]".repeat(100)));
    assert!(message.contains("nested deeper"), "{message}");
}

/// Parts of templates, in any order.
const PIECES: &[&str] = &[
    "{{ ",
    " }}",
    "{% ",
    " %}",
    "{#",
    "#}",
    "{%- ",
    "-}}",
    "a",
    "tenant",
    "tenant.organisation",
    "subscription",
    "cluster.api",
    "components",
    "loop",
    "loop.index",
    ".name",
    "[0]",
    "[-1]",
    "[1:2]",
    "[::-1]",
    " ~ ",
    " + ",
    " - ",
    " / ",
    " // ",
    " % ",
    " ** ",
    " * ",
    "1",
    "0",
    "9999999999999999999999",
    "1.5",
    "\"x\"",
    "'",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ": ",
    ", ",
    " | ",
    "join(\"-\")",
    "json",
    "digest",
    "replace(\"a\", \"bb\")",
    "items",
    "length",
    "sort",
    "unique",
    "first",
    "last",
    "pluck(\"name\")",
    "default(1)",
    "short",
    "lower",
    "days",
    "fail(\"x\")",
    " if ",
    " else ",
    " in ",
    " not in ",
    " is defined",
    " is none",
    " and ",
    " or ",
    "not ",
    " == ",
    " < ",
    "if a",
    "endif",
    "for x in components",
    "for k, v in tenant | items",
    "endfor",
    "set a = tenant",
    "set a = a ~ a",
    "with b = a",
    "endwith",
    "include \"shared/_quota.yaml\"",
    "include \"shared/_none.yaml\"",
    "break",
    "continue",
    "elif a",
    "else",
    "macro m()",
    "raw",
    "\n",
    "  ",
    "- ",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ",
    "\n---\n",
    "data: ",
    "é",
    "😀",
    "\u{0}",
    "\u{feff}",
];

/// Something that has a value, or fails to.
fn expression() -> impl Strategy<Value = String> {
    let leaf = proptest::sample::select(vec![
        "a",
        "b",
        "tenant",
        "package",
        "subscription",
        "components",
        "cluster.api",
        "limits",
        "loop",
        "1",
        "0",
        "2.5",
        "9223372036854775807",
        "\"x\"",
        "\"\"",
        "none",
        "true",
        "[]",
        "{}",
        "subscription.hosts",
        "tenant.organisation",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        let filters = vec![
            "json",
            "digest",
            "items",
            "length",
            "sort",
            "unique",
            "first",
            "last",
            "short",
            "lower",
            "days",
            "join(\"-\")",
            "join(tenant.organisation)",
            "pluck(\"name\")",
            "default(1)",
            "replace(\"a\", \"aa\")",
            "sort(reverse=true)",
            "sort(attribute=\"name\")",
            "items | first",
        ];
        let signs = vec!["~", "+", "-", "/", "//", "%", "**", "==", "<", "in", "and", "or"];
        let filtered = (inner.clone(), proptest::sample::select(filters));
        let joined = (inner.clone(), proptest::sample::select(signs), inner.clone());
        prop_oneof![
            filtered.prop_map(|(value, filter)| format!("({value} | {filter})")),
            joined.prop_map(|(one, sign, other)| format!("({one} {sign} {other})")),
            (inner.clone(), inner.clone()).prop_map(|(of, key)| format!("{of}[{key}]")),
            inner.clone().prop_map(|of| format!("{of}.name")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("[{one}, {other}]")),
            inner.clone().prop_map(|value| format!("{{\"k\": {value}}}")),
            (inner.clone(), inner).prop_map(|(one, other)| format!("({one} if a else {other})")),
        ]
    })
}

/// A template whose tags all close.
fn template() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        expression().prop_map(|value| format!("- {{{{ {value} }}}}\n")),
        expression().prop_map(|value| format!("{{% set a = {value} %}}\n")),
        Just("apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n---\n".to_owned()),
        Just("{% include \"shared/_quota.yaml\" %}\n\n---\n".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let several = proptest::collection::vec(inner, 0..4).prop_map(|parts| parts.concat());
        (expression(), several, 0..3_usize).prop_map(|(value, inside, kind)| match kind {
            0 => format!("{{% if {value} %}}\n{inside}{{% endif %}}\n"),
            1 => format!("{{% for b in {value} %}}\n{inside}{{% endfor %}}\n"),
            _ => format!("{{% with b = {value} %}}\n{inside}{{% endwith %}}\n"),
        })
    })
}

/// Renders a tenant who uses the template, and one who does not.
fn ends_in_time_and_harms_nobody(template: &str) {
    let start = Instant::now();
    let files = Files::example().with(BOMB, template);
    let snapshot = Snapshot::of(Commit::new("0"), &files.0);
    let (templates, _) = Templates::of(&snapshot);
    let rendered = render(EXAMPLE.tenant("siti"), &templates, NOW.parse().unwrap());
    if let Err(error) = rendered {
        assert!(!error.message.is_empty());
        assert!(error.help.is_some());
    }
    render(EXAMPLE.tenant("acme"), &templates, NOW.parse().unwrap()).unwrap();
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_scribble_ends_in_time_and_harms_nobody(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..40),
    ) {
        ends_in_time_and_harms_nobody(&pieces.concat());
    }

    #[test]
    fn any_template_ends_in_time_and_harms_nobody(template in template()) {
        ends_in_time_and_harms_nobody(&format!("{{% set a = tenant %}}{{% set b = package %}}\n{template}"));
    }
}

#[test]
fn a_value_that_gets_deeper_line_by_line_is_refused_before_the_stack_ends() {
    let deeper = format!("{{% set a = {}a{} %}}\n", "[".repeat(50), "]".repeat(50));
    let template = format!("{{% set a = 1 %}}\n{}x: {{{{ a }}}}\n", deeper.repeat(500));
    let refusal = Files::example().with(BOMB, template).refused("siti");
    assert!(refusal.contains("levels is built here; the most is 48"), "{refusal}");
}

#[test]
fn what_a_partial_sets_cannot_grow_with_every_include() {
    let twice = "{% set a = a ~ a %}";
    let template = format!(
        "{{% set a = \"0123456789\" %}}\n{}a: 1\n",
        "{% include \"shared/_twice.yaml\" %}\n".repeat(40)
    );
    let files = Files::example().with("templates/shared/_twice.yaml", twice);
    assert_eq!(
        files.with(BOMB, template).refused("siti"),
        "templates/shared/_twice.yaml:1: the partial `shared/_twice.yaml` uses `set`\n  help: name values with `with` in it, which ends where it ends"
    );
}

#[test]
fn what_is_wrong_with_a_partial_is_told_where_it_stands() {
    let claims = "{# Ours. #}\n{% include \"shared/_quota.yaml\" %}\n";
    let files = Files::example().with("templates/shared/_claims.yaml", claims);
    assert_eq!(
        files.refused("siti"),
        "templates/shared/_claims.yaml:2: the partial `shared/_claims.yaml` includes others\n  \
         help: include them in the templates that include it"
    );
}

#[test]
fn no_tag_hides_behind_a_comment_or_a_condition() {
    for template in
        ["{#} {{ \" #} {{ \"\"[::-1] }} \" }}\n", "{% for a in [1] if \"\"[::-1] %}{% endfor %}\n"]
    {
        let refusal = Files::example().with(BOMB, template).refused("siti");
        assert!(refusal.contains("there are no slices here"), "{refusal}");
    }
}
