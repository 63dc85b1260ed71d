//! Planning after applying is empty, on a cluster that speaks as the real one does.

use proptest::prelude::*;
use tenantry::sandbox::Sandbox;
use tenantry::sandbox::SandboxOptions;

use crate::support::business::Business;
use crate::support::business::any_business;
use crate::support::program::Program;
use crate::support::program::Told;
use crate::support::repository::TestRepo;

/// The business on a cluster without a database server, and without whom needs one.
fn without_databases(mut business: Business) -> Business {
    let cluster = business.files.get_mut("clusters/saigon.yaml").unwrap();
    *cluster = cluster.split("  databaseServer:").next().unwrap().to_owned();
    let needs = |text: &String| text.contains("  package: kiteclass");
    let folder = |path: &String| path.rsplit_once('/').unwrap().0.to_owned() + "/";
    let gone: Vec<String> = business
        .files
        .iter()
        .filter(|(_, text)| needs(text))
        .map(|(path, _)| folder(path))
        .collect();
    business.files.retain(|path, _| {
        !path.starts_with("packages/kiteclass") && !gone.iter().any(|gone| path.starts_with(gone))
    });
    business
}

fn commit(repository: &TestRepo, before: Option<&Business>, business: &Business) {
    for path in before.into_iter().flat_map(|before| before.files.keys()) {
        if !business.files.contains_key(path) {
            repository.remove(path);
        }
    }
    for (path, text) in &business.files {
        repository.write(path, text);
    }
    repository.commit("the business goes on");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, max_shrink_iters: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn planning_after_applying_is_empty(
        story in proptest::collection::vec(any_business().prop_map(without_databases), 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let sandbox = runtime.block_on(Sandbox::start(SandboxOptions::default())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, sandbox.kubeconfig_yaml()).unwrap();
        let repository = TestRepo::new();
        let run = |arguments: &str| -> Told {
            Program::with(&format!("{arguments} --kubeconfig {}", kubeconfig.display()))
                .in_folder(repository.path())
                .run()
        };
        let mut before = None;
        for business in &story {
            commit(&repository, before, business);
            let applied = run("apply --repository . --quiet");
            prop_assert_eq!(applied.code, 0, "{}{}", applied.out, applied.err);
            let planned = run("plan");
            prop_assert_eq!(planned.code, 0, "{}{}", planned.out, planned.err);
            prop_assert_eq!(planned.out.as_str(), "Plan: no changes\n");
            before = Some(business);
        }
    }
}
