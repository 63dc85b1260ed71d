//! What a tenant becomes, on the terminal.

use serde_json::Value;

use crate::support::program::Program;

#[test]
fn a_tenant_is_rendered_in_the_order_in_which_it_is_made() {
    let told = Program::with("render siti --dir tenants-example --at 2026-11-21T00:00:00Z").here();
    let told = told.run();
    assert_eq!((told.code, told.err.as_str()), (0, ""));
    let titles: Vec<&str> = told.out.lines().filter(|line| line.starts_with("# ")).collect();
    insta::assert_snapshot!(titles.join("\n"));
}

#[test]
fn the_time_decides_who_is_suspended() {
    let replicas = |time: &str| -> Value {
        let arguments = format!("render siti --dir tenants-example --at {time} --output json");
        let told = Program::with(&arguments).here().run();
        let units: Value = serde_json::from_str(&told.out).unwrap();
        let resources = units[0]["resources"].as_array().unwrap();
        let workload = resources.iter().find(|resource| {
            let kind = &resource["object"]["kind"];
            kind == "Deployment" || kind == "StatefulSet"
        });
        workload.unwrap()["object"]["spec"]["replicas"].clone()
    };
    assert_eq!(replicas("2026-11-21T00:00:00Z"), 1);
    assert_eq!(replicas("2036-11-21T00:00:00Z"), 0);
}

#[test]
fn a_tenant_that_is_not_there_is_told_with_the_nearest() {
    insta::assert_snapshot!(
        Program::with("render acne --dir tenants-example").here().run().shown()
    );
}

#[test]
fn a_tenant_that_is_broken_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let tenant = "apiVersion: tenantry.dev/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {}\n";
    std::fs::create_dir_all(folder.path().join("tenants/acme")).unwrap();
    std::fs::write(folder.path().join("tenants/acme/tenant.yaml"), tenant).unwrap();
    insta::assert_snapshot!(Program::with("render acme").in_folder(folder.path()).run().shown());
}
