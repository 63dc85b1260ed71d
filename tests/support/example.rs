//! The example repository, read from the folder: documentation and fixture at once.

use std::path::Path;
use std::sync::Arc;

use tenantry::model::Commit;
use tenantry::model::Configuration;
use tenantry::model::Snapshot;
use tenantry::model::read;
use tenantry::model::snapshot::holds_documents;

/// `tenants-example`, as a commit would hold it.
pub(crate) fn snapshot() -> Snapshot {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tenants-example");
    let mut files = Vec::new();
    collect(&root, &root, &mut files);
    Snapshot::of(Commit::new(&"e".repeat(40)), files)
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.push((name, std::fs::read(&path).unwrap()));
        }
    }
}

/// Reads every document of a snapshot.
pub(crate) fn configuration(snapshot: &Snapshot) -> Configuration {
    let files = snapshot.files.values().filter(|file| holds_documents(&file.path));
    Configuration::of(files.map(|file| Arc::new(read::read_file(file))).collect())
}
