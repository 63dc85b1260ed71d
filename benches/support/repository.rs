//! A repository of any number of tenants, made of the packages of `tenants-example`: half of them
//! are schools on KiteClass, half rent pods from the hosting platform. Or of packages that need
//! nothing but an API server, which stand in `benches/repository`.

use std::path::Path;
use std::sync::Arc;

use tenantry::model::Commit;
use tenantry::model::Snapshot;
use tenantry::model::snapshot::File;

/// What a tenant buys, in turn.
const BOUGHT: [&[&str]; 8] = [
    &["kiteclass-basic"],
    &["n8n"],
    &["kiteclass-basic"],
    &["ghost"],
    &["kiteclass-standard"],
    &["wordpress"],
    &["kiteclass-premium"],
    &["n8n", "ghost"],
];

/// The path and text of a file.
pub(crate) type Text = (String, String);

/// Everything of the example but its tenants, on a cluster that has room for any number of them.
pub(crate) fn shared_files() -> Vec<Text> {
    let mut files = files_below("tenants-example");
    for (path, text) in &mut files {
        if path.starts_with("clusters/") {
            *text = text.replace("cpu: 24", "cpu: 1000000").replace("128Gi", "4000000Gi");
        }
    }
    files
}

/// The same, with the packages that need nothing but an API server, on a cluster of this version.
pub(crate) fn shared_files_for(version: &str) -> Vec<Text> {
    let mut files = shared_files();
    for (path, text) in &mut files {
        if path.starts_with("clusters/") {
            *text = text.replace("\"1.33\"", &format!("\"{version}\""));
            // It has no databases.
            let end = text.find("  databaseServer:").expect("the example has one");
            text.truncate(end);
        }
    }
    files.extend(files_below("benches/repository"));
    files
}

fn files_below(folder: &str) -> Vec<Text> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    collect(&root, &root, &mut files);
    files
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<Text>) {
    for entry in std::fs::read_dir(folder).expect("the example is in the repository") {
        let path = entry.expect("its folders can be listed").path();
        let name = path.strip_prefix(root).expect("it is inside").to_string_lossy().into_owned();
        if path.is_dir() && name != "tenants" {
            collect(root, &path, files);
        } else if path.is_file() {
            files.push((name, std::fs::read_to_string(&path).expect("the example is text")));
        }
    }
}

/// The files of one tenant.
pub(crate) fn tenant_files(number: usize) -> Vec<Text> {
    tenant_with(number, BOUGHT[number % BOUGHT.len()])
}

pub(crate) fn tenant_name(number: usize) -> String {
    format!("t{number:05}")
}

/// The files of a tenant that buys these packages.
pub(crate) fn tenant_with(number: usize, bought: &[&str]) -> Vec<Text> {
    let tenant = tenant_name(number);
    let document = format!(
        "# A customer like any other.\napiVersion: tenantry.dev/v1\nkind: Tenant\nmetadata:\n  name: {tenant}\nspec:\n  \
         organisation: Customer {number}\n  contacts:\n    - {{ email: admin@{tenant}.example, role: admin }}\n  \
         language: en\n  cluster: saigon\n  branding:\n    primaryColor: \"#3B82F6\"\n"
    );
    let subscriptions = bought.iter().map(|package| {
        let text = format!(
            "apiVersion: tenantry.dev/v1\nkind: Subscription\nmetadata:\n  name: {package}\nspec:\n  \
             tenant: {tenant}\n  package: {package}\n  starts: 2025-12-16\n  paidThrough: 2035-12-15\n"
        );
        (format!("tenants/{tenant}/{package}.yaml"), text)
    });
    [(format!("tenants/{tenant}/tenant.yaml"), document)].into_iter().chain(subscriptions).collect()
}

/// The repository as a commit holds it.
pub(crate) fn snapshot(tenants: usize) -> Snapshot {
    let files = shared_files().into_iter().chain((0..tenants).flat_map(tenant_files));
    Snapshot::of(commit("first"), files)
}

/// The next commit: one file has another text, the others are shared with the commit before.
pub(crate) fn with(before: &Snapshot, path: &str, change: impl Fn(&str) -> String) -> Snapshot {
    let old = before.text(path).unwrap_or_default();
    let new = change(old);
    assert_ne!(old, new, "the commit changes {path}");
    let path: Arc<str> = path.into();
    let mut files = before.files.clone();
    files.insert(Arc::clone(&path), File::new(path, new.into_bytes().into()));
    Snapshot { commit: commit(before.commit.as_str()), files }
}

fn commit(seed: &str) -> Commit {
    let digest = tenantry::model::Digest::of(seed.as_bytes()).to_string();
    Commit::new(&format!("{digest}00000000"))
}
