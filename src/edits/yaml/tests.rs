//! What changes of a text look like to the person whose text it is.

use serde_json::json;

use super::*;

fn changed(text: &str, change: &Change) -> Result<String, NotEdited> {
    edit("tenants/acme/school.yaml", text, 0, change)
}

#[track_caller]
fn becomes(text: &str, change: &Change, expected: &str) {
    assert_eq!(changed(text, change).unwrap(), expected);
    // Windows' ends of lines, a mark at the start and a missing end stay as well.
    let windows = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n"));
    assert_eq!(changed(&windows(text), change).unwrap(), windows(expected));
    if let (Some(open), Some(expected)) = (text.strip_suffix('\n'), expected.strip_suffix('\n')) {
        assert_eq!(changed(open, change).unwrap(), expected);
    }
}

fn set<const LENGTH: usize>(path: [&str; LENGTH], value: Value) -> Change {
    Change::Set(path.into(), value)
}

fn remove<const LENGTH: usize>(path: [&str; LENGTH]) -> Change {
    Change::Remove(path.into())
}

const SCHOOL: &str = "# Ours.
kind: Subscription

spec:
  tenant: acme   # a good customer
  paidThrough: 2026-01-31 # by transfer

  # They asked for it.
  domains:
    - 'a.example' # first

    - \"b.example\"
  overrides: {limits: {users: 3000}, quota: {}} # agreed
  addOns:
";

#[test]
fn a_value_changes_in_its_place() {
    becomes(
        SCHOOL,
        &set(["spec", "paidThrough"], json!("2026-02-28")),
        &SCHOOL.replace("2026-01-31", "2026-02-28"),
    );
    becomes(
        SCHOOL,
        &Change::Set(Path::from(["spec", "domains"]).item(0), json!("c.example")),
        &SCHOOL.replace("a.example", "c.example"),
    );
    becomes(
        SCHOOL,
        &set(["spec", "overrides", "limits", "users"], json!(4000)),
        &SCHOOL.replace("3000", "4000"),
    );
    becomes(SCHOOL, &set(["spec", "tenant"], json!("acme")), SCHOOL);
}

#[test]
fn a_new_field_goes_below_the_others_or_into_the_brackets() {
    becomes(
        SCHOOL,
        &set(["spec", "restarts"], json!(1)),
        &SCHOOL.replace("  addOns:\n", "  addOns:\n  restarts: 1\n"),
    );
    becomes(
        SCHOOL,
        &set(["spec", "overrides", "quota", "pods"], json!(3)),
        &SCHOOL.replace("quota: {}", "quota: { pods: 3 }"),
    );
    becomes(
        SCHOOL,
        &set(["spec", "overrides", "components", "web", "replicas"], json!(3)),
        &SCHOOL.replace("quota: {}}", "quota: {}, components: { web: { replicas: 3 } }}"),
    );
    becomes(
        SCHOOL,
        &set(["spec", "addOns", "storage-50"], json!(2)),
        &SCHOOL.replace("  addOns:\n", "  addOns:\n    storage-50: 2\n"),
    );
}

#[test]
fn of_a_list_only_what_differs_is_written_anew() {
    becomes(
        SCHOOL,
        &set(["spec", "domains"], json!(["a.example", "x.example", "b.example", "c.example"])),
        &SCHOOL
            .replace("# first\n", "# first\n    - x.example\n")
            .replace("    - \"b.example\"\n", "    - \"b.example\"\n    - c.example\n"),
    );
    becomes(
        SCHOOL,
        &set(["spec", "domains"], json!(["b.example"])),
        &SCHOOL.replace("    - 'a.example' # first\n", ""),
    );
    becomes(
        SCHOOL,
        &set(["spec", "domains"], json!([])),
        &SCHOOL.replace(
            "domains:\n    - 'a.example' # first\n\n    - \"b.example\"\n",
            "domains: []\n",
        ),
    );
    becomes(
        SCHOOL,
        &Change::Append(["spec", "holds"].into(), json!({"reason": "operator", "note": "no"})),
        &format!("{SCHOOL}  holds:\n    - {{ reason: operator, note: \"no\" }}\n"),
    );
}

#[test]
fn what_is_removed_takes_its_line_and_nothing_else() {
    becomes(SCHOOL, &remove(["spec", "addOns"]), &SCHOOL.replace("  addOns:\n", ""));
    becomes(
        SCHOOL,
        &remove(["spec", "overrides", "limits"]),
        &SCHOOL.replace("limits: {users: 3000}, ", ""),
    );
    becomes(SCHOOL, &remove(["spec", "overrides", "quota"]), &SCHOOL.replace(", quota: {}", ""));
    becomes(SCHOOL, &remove(["spec", "nothing", "here"]), SCHOOL);
    becomes(
        "a:\n  - b: 1 # one\n    # two\n    c: 2\n  - d: 3\n    e: 4\n",
        &Change::Remove(Path::from(["a"]).item(0).key("b")),
        "a:\n  - # one\n    # two\n    c: 2\n  - d: 3\n    e: 4\n",
    );
    becomes(
        "a:\n  - b: 1\n    c: 2\n",
        &Change::Remove(Path::from(["a"]).item(0).key("b")),
        "a:\n  - c: 2\n",
    );
}

#[test]
fn brackets_over_several_lines_stay_so() {
    becomes(
        "a: [\n  b, # one\n  c # two\n]\n",
        &Change::Append(["a"].into(), json!("d")),
        "a: [\n  b, # one\n  c, # two\n  d\n]\n",
    );
    becomes(
        "a: {\n  b: 1, # one\n  c: 2, # two\n}\n",
        &set(["a", "d"], json!(3)),
        "a: {\n  b: 1, # one\n  c: 2, # two\n  d: 3,\n}\n",
    );
    becomes(
        "a: [\n  b,\n  c,\n  d\n]\n",
        &Change::Remove(Path::from(["a"]).item(1)),
        "a: [\n  b,\n  d\n]\n",
    );
}

#[test]
fn a_word_in_the_place_of_a_list_and_a_map_in_the_place_of_a_word() {
    becomes("a: # why\n  - b\n  - c # d\ne: 1\n", &set(["a"], json!("x")), "a: x # why\ne: 1\n");
    becomes(
        "a: x # why\ne: 1\n",
        &set(["a"], json!({"b": {"c": [1, 2]}})),
        "a: # why\n  b:\n    c: [1, 2]\ne: 1\n",
    );
    becomes("a: |\n  x\n  y\n\ne: 1\n", &set(["a"], json!("x\ny\n")), "a: |\n  x\n  y\n\ne: 1\n");
    becomes("a: |\n  x\n  y\n\ne: 1\n", &set(["a"], json!("z")), "a: z\n\ne: 1\n");
}

#[test]
fn only_the_document_that_is_meant_changes() {
    let text = "a: 1\n---\n# nothing\n---\na: 1 # two\n...\n---\na: 1\n";
    let changed = edit("f", text, 1, &set(["a"], json!(2))).unwrap();
    assert_eq!(changed, text.replace("a: 1 # two", "a: 2 # two"));
    assert_eq!(
        edit("f", text, 3, &set(["a"], json!(2))).unwrap_err().to_string(),
        "f: `a` of document 4 cannot be changed here: there is no such document; change it by hand"
    );
}

#[test]
fn documents_come_at_the_end_and_go_with_their_comments() {
    let one = "# Ours.\na: 1\n";
    let two = add_document("f", one, "b: 2\n").unwrap();
    assert_eq!(two, "# Ours.\na: 1\n---\nb: 2\n");
    assert_eq!(add_document("f", "a: 1", "b: 2\n").unwrap(), "a: 1\n---\nb: 2");
    assert_eq!(add_document("f", "a: 1\r\n", "b: 2\n").unwrap(), "a: 1\r\n---\r\nb: 2\r\n");
    assert_eq!(add_document("f", "# none\n", "b: 2\n").unwrap(), "# none\nb: 2\n");
    assert_eq!(add_document("f", "", "b: 2\n").unwrap(), "b: 2\n");

    assert_eq!(remove_document("f", &two, 1).unwrap().unwrap(), one);
    assert_eq!(remove_document("f", &two, 0).unwrap().unwrap(), "---\nb: 2\n");
    assert_eq!(remove_document("f", one, 0).unwrap(), None);
    let three = "a: 1\n---\n# two\nb: 2\n---\n# three\nc: 3";
    assert_eq!(remove_document("f", three, 1).unwrap().unwrap(), "a: 1\n---\n# three\nc: 3");
    assert_eq!(remove_document("f", three, 2).unwrap().unwrap(), "a: 1\n---\n# two\nb: 2");
}

#[test]
fn what_cannot_be_changed_is_refused_with_its_place() {
    let refused = |text: &str, change: &Change| changed(text, change).unwrap_err().to_string();
    assert_eq!(
        refused("a: x\n", &set(["a", "b"], json!(1))),
        "tenants/acme/school.yaml: `a.b` of document 1 cannot be changed here: `a` is something else than a map; \
         change it by hand"
    );
    assert_eq!(
        refused("a: &x {b: 1}\n", &set(["a", "b"], json!(2))),
        "tenants/acme/school.yaml: `a.b` of document 1 cannot be changed here: line 1 cannot be read: \
         anchors and aliases are not read; change it by hand"
    );
    let inside = Change::Set(Path::from(["a"]).item(0).key("d"), json!(1));
    assert!(refused("a: [b: 1, c]\n", &inside).contains(LAID_OUT));
}
