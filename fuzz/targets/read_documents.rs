//! Any bytes in a file of the repository are read, or refused with a reason and a place in the
//! file; never a panic, and never more work than the bytes deserve.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tenantry::model::Commit;
use tenantry::model::Snapshot;
use tenantry::model::read::read_file;

const PATH: &str = "tenants/acme/school.yaml";

fuzz_target!(|bytes: &[u8]| {
    let snapshot = Snapshot::of(Commit::new("0"), [(PATH, bytes)]);
    let read = read_file(&snapshot.files[PATH]);
    for document in &read.documents {
        let place = document.origin().locate(&snapshot, "spec.components.0.component");
        assert!(place.line >= document.origin().line, "{place:?} is outside of its document");
    }
    let lines = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
    for finding in &read.findings {
        assert!(!finding.message.is_empty());
        assert!(finding.place.line as usize <= lines + 1, "{finding:?} is outside of its file");
    }
});
