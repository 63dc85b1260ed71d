//! What people, programs, code scanners and GitHub get to see.

use tenantry::validate::report;

use super::repository::Repository;
use super::repository::repository;

fn broken() -> Repository {
    repository()
        .changed("tenants/acme/shop.yaml", "package: basic", "package: basix # their first")
        .adding("tenants/globex/shop.yaml", "paidThrough: 2026-01-31")
        .changed("components/web.yaml", "example/web:1.0", "example/web:latest")
        .with("100%, sure.yaml", "kind: Tenant\n")
}

#[test]
fn people_see_the_line_the_rule_and_the_way_out() {
    let repository = broken();
    let findings = repository.checked().findings;
    insta::assert_snapshot!(report::plain(&findings, &repository.snapshot(), false), @"
    error[missing-field]: the field `apiVersion` is missing
     --> 100%, sure.yaml:1:1
      |
    1 | kind: Tenant
      | ^^^^
      |
      = help: add `apiVersion`

    warning[image-not-pinned]: `example/web:latest` may be another image tomorrow
     --> components/web.yaml:6:10
      |
    6 |   image: example/web:latest
      |          ^^^^^^^^^^^^^^^^^^
      |
      = help: name a version or a digest: a revert then brings back what ran before

    error[unknown-reference]: there is no package `basix`
     --> tenants/acme/shop.yaml:7:12
      |
    7 |   package: basix # their first
      |            ^^^^^
      |
      = help: did you mean `basic`?

    error[expiry-before-start]: it is paid through 2026-01-31, and starts on 2026-02-02
     --> tenants/globex/shop.yaml:9:16
      |
    8 |   starts: 2026-02-02
      |           ---------- it starts here
    9 |   paidThrough: 2026-01-31
      |                ^^^^^^^^^^
      |
      = help: put `paidThrough` on the last day of the first period, or later

    3 errors and 1 warning in 4 files
    ");
}

#[test]
fn people_see_no_secret() {
    let repository = repository().adding(
        "components/web.yaml",
        "environment:\n  DB_PASSWORD: { value: hunter2 }\n  URL: { value: \"redis://:hunter2@cache\" }\n  API_TOKEN: { value: \"12345678\" }",
    );
    let findings = repository.checked().findings;
    let shown = report::plain(&findings, &repository.snapshot(), false);
    insta::assert_snapshot!(shown, @"
    error[secret-in-clear]: the value of `DB_PASSWORD` looks like a secret
      --> components/web.yaml:13:18
       |
    13 |     DB_PASSWORD: [hidden]
       |                  ^^^^^^^^
       |
       = help: remove it, make a new one, and have it generated: `credentials`, and `{ credential: <key> }` here

    error[secret-in-clear]: this looks like an address with a password in it
      --> components/web.yaml:14:10
       |
    14 |     URL: [hidden]
       |          ^^^^^^^^
       |
       = help: remove it, make a new one, and have it generated: `credentials`, and `{ credential: <key> }` here

    error[secret-in-clear]: the value of `API_TOKEN` looks like a secret
      --> components/web.yaml:15:16
       |
    15 |     API_TOKEN: [hidden]
       |                ^^^^^^^^
       |
       = help: remove it, make a new one, and have it generated: `credentials`, and `{ credential: <key> }` here

    3 errors in 1 file
    ");
    for secret in ["hunter2", "12345678"] {
        for text in [
            &shown,
            &report::json(&findings),
            &report::sarif(&findings),
            &report::github(&findings),
        ] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn colours_are_there_when_they_are_asked_for() {
    let repository = broken();
    let findings = repository.checked().findings;
    assert!(report::plain(&findings, &repository.snapshot(), true).contains('\u{1b}'));
    assert!(!report::plain(&findings, &repository.snapshot(), false).contains('\u{1b}'));
}

#[test]
fn nothing_to_say_is_said() {
    assert_eq!(report::plain(&[], &repository().snapshot(), false), "no findings\n");
}

#[test]
fn programs_get_json() {
    insta::assert_snapshot!(report::json(&broken().checked().findings), @r#"
    {
      "errors": 3,
      "warnings": 1,
      "findings": [
        {
          "file": "100%, sure.yaml",
          "line": 1,
          "column": 1,
          "severity": "error",
          "rule": "missing-field",
          "message": "the field `apiVersion` is missing",
          "help": "add `apiVersion`",
          "related": []
        },
        {
          "file": "components/web.yaml",
          "line": 6,
          "column": 10,
          "severity": "warning",
          "rule": "image-not-pinned",
          "message": "`example/web:latest` may be another image tomorrow",
          "help": "name a version or a digest: a revert then brings back what ran before",
          "related": []
        },
        {
          "file": "tenants/acme/shop.yaml",
          "line": 7,
          "column": 12,
          "severity": "error",
          "rule": "unknown-reference",
          "message": "there is no package `basix`",
          "help": "did you mean `basic`?",
          "related": []
        },
        {
          "file": "tenants/globex/shop.yaml",
          "line": 9,
          "column": 16,
          "severity": "error",
          "rule": "expiry-before-start",
          "message": "it is paid through 2026-01-31, and starts on 2026-02-02",
          "help": "put `paidThrough` on the last day of the first period, or later",
          "related": [
            {
              "file": "tenants/globex/shop.yaml",
              "line": 8,
              "column": 11,
              "message": "it starts here"
            }
          ]
        }
      ]
    }
    "#);
}

#[test]
fn code_scanners_get_sarif() {
    let sarif: serde_json::Value =
        serde_json::from_str(&report::sarif(&broken().checked().findings)).unwrap();
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in run["results"].as_array().unwrap() {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(rule["shortDescription"]["text"].is_string(), "{rule}");
    }
    assert_eq!(sarif["version"], "2.1.0");
    insta::assert_json_snapshot!(run["results"][3], @r#"
    {
      "ruleId": "expiry-before-start",
      "ruleIndex": 50,
      "level": "error",
      "message": {
        "text": "it is paid through 2026-01-31, and starts on 2026-02-02: put `paidThrough` on the last day of the first period, or later"
      },
      "locations": [
        {
          "physicalLocation": {
            "artifactLocation": {
              "uri": "tenants/globex/shop.yaml"
            },
            "region": {
              "startLine": 9,
              "startColumn": 16
            }
          }
        }
      ],
      "relatedLocations": [
        {
          "id": 0,
          "message": {
            "text": "it starts here"
          },
          "physicalLocation": {
            "artifactLocation": {
              "uri": "tenants/globex/shop.yaml"
            },
            "region": {
              "startLine": 8,
              "startColumn": 11
            }
          }
        }
      ]
    }
    "#);
}

#[test]
fn github_gets_one_command_a_line() {
    insta::assert_snapshot!(report::github(&broken().checked().findings), @"
    ::error file=100%25%2C sure.yaml,line=1,col=1,title=missing-field::the field `apiVersion` is missing%0Ahelp: add `apiVersion`
    ::warning file=components/web.yaml,line=6,col=10,title=image-not-pinned::`example/web:latest` may be another image tomorrow%0Ahelp: name a version or a digest: a revert then brings back what ran before
    ::error file=tenants/acme/shop.yaml,line=7,col=12,title=unknown-reference::there is no package `basix`%0Ahelp: did you mean `basic`?
    ::error file=tenants/globex/shop.yaml,line=9,col=16,title=expiry-before-start::it is paid through 2026-01-31, and starts on 2026-02-02%0Ahelp: put `paidThrough` on the last day of the first period, or later%0Atenants/globex/shop.yaml:8: it starts here
    ");
}
