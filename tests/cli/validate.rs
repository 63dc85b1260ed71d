//! Findings as the operator and their tools see them.

use serde_json::Value;

use crate::support::program::Program;
use crate::support::program::Told;
use crate::support::repository::TestRepo;

const PLATFORM: &str = "\
apiVersion: tenantry.dev/v1
kind: Platform
metadata: { name: example }
spec: { domain: pods.example, timeZone: Asia/Ho_Chi_Minh, currency: USD }
";
const TENANT: &str = "\
apiVersion: tenantry.dev/v1
kind: Tenant
metadata: { name: acme }
spec:
  organization: ACME Corp
  contacts: [{ email: admin@acme.test }]
";

/// A repository with documents in a folder, one of them wrong, checked out.
fn with_a_slip() -> TestRepo {
    let repository = TestRepo::new();
    repository.write("hosting/platform.yaml", PLATFORM);
    repository.write("hosting/tenants/acme/tenant.yaml", TENANT.replace("organiz", "organis"));
    repository.commit("all is well");
    repository.write("hosting/tenants/acme/tenant.yaml", TENANT).commit("a slip");
    repository.check_out();
    repository
}

fn validate(repository: &TestRepo, arguments: &str) -> Told {
    Program::with(&format!("validate {arguments}")).in_folder(repository.path()).run()
}

#[test]
fn the_example_has_no_findings() {
    let told = Program::with("validate tenants-example").here().run();
    assert_eq!((told.code, told.out.as_str(), told.err.as_str()), (0, "no findings\n", ""));
}

#[test]
fn a_finding_is_shown_with_its_line_and_the_fix() {
    insta::assert_snapshot!(validate(&with_a_slip(), "hosting").shown());
}

#[test]
fn a_mail_in_words_that_cannot_be_used_is_a_finding_and_ours_is_shown() {
    let repository = TestRepo::new();
    repository.write("platform.yaml", PLATFORM);
    repository.write("templates/email/welcome.txt", "=== en\nHello\n\n{{ nothing }}\n");
    repository.write(
        "templates/email/reset.txt",
        "=== en\nA way back in\n\n=> Come: {{ portal }}/reset?token={{ token }}\n",
    );
    repository.commit("words of our own");
    repository.check_out();
    let told = validate(&repository, ".");
    assert_eq!(told.code, 1, "{}", told.shown());
    let place = "templates/email/welcome.txt:1:1";
    assert!(told.out.contains(place) && told.out.contains("mail-template"), "{}", told.shown());
    assert!(!told.out.contains("reset.txt"), "{}", told.shown());
    let preview = |name: &str| {
        let command = format!("mail preview {name} --folder .");
        Program::with(&command).in_folder(repository.path()).run()
    };
    assert!(
        preview("reset").out.contains("Subject: A way back in"),
        "{}",
        preview("reset").shown()
    );
    let ours = preview("welcome");
    assert!(!ours.out.contains("Subject: Hello\n") && ours.err.contains(place), "{}", ours.shown());
}

#[test]
fn colours_come_when_they_are_asked_for_and_not_otherwise() {
    let repository = with_a_slip();
    assert!(validate(&repository, "hosting --color always").out.contains('\u{1b}'));
    assert!(!validate(&repository, "hosting").out.contains('\u{1b}'));
}

#[test]
fn a_commit_is_checked_and_not_what_is_there_now() {
    let repository = with_a_slip();
    let before = validate(&repository, "hosting --commit HEAD~1");
    assert_eq!((before.code, before.out.as_str()), (0, "no findings\n"));
    std::fs::remove_dir_all(repository.path().join("hosting")).unwrap();
    std::fs::create_dir(repository.path().join("hosting")).unwrap();
    assert_eq!(validate(&repository, "hosting --commit main").code, 1);
}

#[test]
fn github_shows_findings_at_the_files_of_the_repository() {
    let repository = with_a_slip();
    let told = Program::with("validate --format github")
        .in_folder(&repository.path().join("hosting"))
        .run();
    insta::assert_snapshot!(told.shown());
}

#[test]
fn for_machines_it_is_json_and_for_scanners_sarif() {
    let repository = with_a_slip();
    let json = |arguments: &str| -> Value {
        let told = validate(&repository, arguments);
        assert_eq!((told.code, told.err.as_str()), (1, ""));
        serde_json::from_str(&told.out).unwrap()
    };
    let findings = json("hosting --output json");
    assert_eq!(findings["findings"][0]["file"], "hosting/tenants/acme/tenant.yaml");
    assert_eq!(findings, json("hosting --format json"));
    let scan = json("hosting --format sarif");
    let place = &scan["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "hosting/tenants/acme/tenant.yaml");
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    insta::assert_snapshot!(Program::with("validate nowhere").here().run().shown());
}
