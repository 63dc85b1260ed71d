//! Bad input gets a clear error with its place and the fix, and nothing secret is told.

use std::path::Path;

use crate::support::program::Program;
use crate::support::program::Told;
use crate::support::repository::TestRepo;

/// A repository with the example's platform, cluster and one customer.
fn small() -> TestRepo {
    let repository = TestRepo::new();
    for file in [
        "platform.yaml",
        "clusters/saigon.yaml",
        "components/ghost.yaml",
        "packages/paas/ghost.yaml",
        "tenants/siti/tenant.yaml",
        "tenants/siti/blog.yaml",
    ] {
        repository.write(file, example(file));
    }
    repository.commit("one customer");
    repository
}

fn example(file: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tenants-example");
    std::fs::read_to_string(folder.join(file)).unwrap()
}

fn run(repository: &TestRepo, arguments: &str) -> Told {
    repository.check_out();
    Program::with(arguments).in_folder(repository.path()).run()
}

#[test]
fn a_day_that_no_calendar_has_is_told_with_one_that_it_has() {
    let repository = small();
    for day in ["2026-02-30", "99999-12-31", "tomorrow", "-9999-01-01"] {
        let blog = example("tenants/siti/blog.yaml");
        repository.write("tenants/siti/blog.yaml", blog.replace("2036-10-20", day));
        repository.commit("a day");
        let told = run(&repository, "validate");
        assert_eq!(told.code, 1);
        let says = format!(
            "error[wrong-value]: `{day}` is not a day: write one of the calendar, as in `2026-01-31`\n --> tenants/siti/blog.yaml:9:16\n"
        );
        assert!(told.out.starts_with(&says), "{}", told.out);
    }
}

#[test]
fn a_time_on_the_command_line_is_told_with_how_to_write_it() {
    for command in ["render --at yesterday", "plan --at 2026-02-30T00:00:00Z"] {
        let told = Program::with(command).here().run();
        assert_eq!((told.code, told.out.as_str()), (1, ""));
        let help = "is not a time: write it as in `2026-11-21T09:00:00Z`";
        assert!(told.err.contains(help), "{}", told.err);
    }
}

#[test]
fn a_template_that_is_no_text_is_told_once() {
    let repository = small();
    repository.write("templates/component/web.yaml", [0xff, 0xfe]).commit("no text");
    let told = run(&repository, "validate");
    assert_eq!(told.code, 1);
    assert!(told.out.ends_with("1 error in 1 file\n"), "{}", told.out);
    let told = run(&repository, "render siti");
    assert_eq!(
        told.err.lines().next().unwrap(),
        "error: `siti` cannot be rendered: templates/component/web.yaml: the file is not UTF-8"
    );
}

#[test]
fn a_folder_that_the_commit_does_not_have_is_an_error_and_no_empty_business() {
    let repository = small();
    let told = run(&repository, "apply --repository . --path nowhere --wait 5s --quiet");
    assert_eq!((told.code, told.out.as_str()), (1, ""));
    assert!(told.err.starts_with("error: there is no folder `nowhere` in commit "), "{}", told.err);
    assert!(told.err.contains("check --path"), "{}", told.err);
}

#[test]
fn a_kubeconfig_that_cannot_be_read_is_named_and_never_quoted() {
    let repository = small();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    std::fs::write(&file, "users:\n- name: a\n  user: {token: hunter2, [\n").unwrap();
    for command in ["plan", "apply --repository . --wait 2s --quiet"] {
        let told = run(&repository, &format!("{command} --kubeconfig {}", file.display()));
        assert_eq!(told.code, 1);
        let said = told.out + &told.err;
        assert!(said.contains(&format!("{} is no kubeconfig in YAML", file.display())), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let told = run(&repository, &format!("plan --kubeconfig other={}", file.display()));
    assert!(told.err.contains("no kubeconfig is named for it"), "{}", told.err);
}

#[test]
fn an_address_that_is_taken_is_told_with_a_way_out() {
    let repository = small();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let command =
        format!("run --repository . --cache {} --listen {address}", cache.path().display());
    let told = run(&repository, &command);
    assert_eq!(told.code, 1);
    assert_eq!(
        told.err,
        format!(
            "error: {address} cannot be listened at\n  because: Address already in use (os error 98)\n  help: end what listens there, or name another address with --listen\n"
        )
    );
}

#[test]
fn the_url_of_another_kind_of_database_is_refused_without_its_password() {
    let told = Program::with("status --database-url mysql://root:hunter2@db/tenantry").run();
    assert_eq!(told.code, 1);
    assert!(told.err.contains("write it as in postgres://user@host:5432/name"), "{}", told.err);
    assert!(!told.err.contains("hunter2"), "{}", told.err);
}

#[test]
fn two_kubeconfigs_for_one_cluster_are_refused() {
    let repository = small();
    for (arguments, whose) in [
        ("--kubeconfig /a --kubeconfig /b", "all clusters: /a and /b"),
        ("--kubeconfig one=/a,two=/c,one=/b", "cluster `one`: /a and /b"),
    ] {
        let told = run(&repository, &format!("plan {arguments}"));
        assert_eq!(told.code, 1);
        let expected = format!("error: --kubeconfig names two files for {whose}\n");
        assert!(told.err.starts_with(&expected), "{}", told.err);
    }
}
