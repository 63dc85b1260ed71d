//! A hosting business as it might be: the example after a few of the changes that commits make.
//!
//! It knows files and nothing of ours, so that the tests inside of the library share it.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

/// The files of a commit, and the time at which somebody looks at them.
#[derive(Clone)]
pub(crate) struct Business {
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) at: &'static str,
    changes: Vec<Change>,
}

/// What failed is told by what makes it differ from the example.
impl std::fmt::Debug for Business {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "at {} {:?}", self.at, self.changes)
    }
}

/// What a commit may change. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Change {
    Leaves(usize),
    Joins(&'static str, &'static str),
    Paid(usize, &'static str),
    Held(usize, &'static str),
    Counted(usize, &'static str, u8),
    /// A component is of another version.
    Version(usize, u8),
    /// A package has another quota of volumes.
    Quota(usize, u8),
    /// A package keeps or deletes its customers' data.
    Data(usize, &'static str),
    /// A package that nobody has is not offered any more.
    Unsold(usize),
}

fn change() -> impl Strategy<Value = Change> {
    let any = 0..16_usize;
    let day = prop_oneof![
        Just("2026-11-12"),
        Just("2026-11-20"),
        Just("2026-11-22"),
        Just("2026-12-31"),
        Just("2040-02-29"),
    ];
    let product = prop_oneof![Just("n8n"), Just("ghost"), Just("kiteclass-basic")];
    let name = prop_oneof![Just("initech"), Just("hooli")];
    let reason = prop_oneof![Just("operator"), Just("overdue"), Just("abuse")];
    let counter = prop_oneof![Just("restarts"), Just("rotations")];
    prop_oneof![
        4 => any.clone().prop_map(Change::Leaves),
        2 => (name, product).prop_map(|(name, product)| Change::Joins(name, product)),
        2 => (any.clone(), day).prop_map(|(who, day)| Change::Paid(who, day)),
        1 => (any.clone(), reason).prop_map(|(who, reason)| Change::Held(who, reason)),
        2 => (any.clone(), counter, 0..3_u8)
            .prop_map(|(who, counter, count)| Change::Counted(who, counter, count)),
        2 => (any.clone(), 0..3_u8).prop_map(|(what, version)| Change::Version(what, version)),
        1 => (any.clone(), 10..13_u8).prop_map(|(what, quota)| Change::Quota(what, quota)),
        1 => (any.clone(), prop_oneof![Just("keep"), Just("delete")])
            .prop_map(|(what, policy)| Change::Data(what, policy)),
        1 => any.prop_map(Change::Unsold),
    ]
}

/// The example after some changes, at some time.
pub(crate) fn any_business() -> impl Strategy<Value = Business> {
    let time = prop_oneof![
        3 => Just("2026-11-21T00:00:00Z"),
        1 => Just("2026-12-20T12:00:00Z"),
        1 => Just("2027-01-15T00:00:00Z"),
        1 => Just("2035-12-16T00:00:00Z"),
        1 => Just("2041-01-01T00:00:00Z"),
    ];
    (proptest::collection::vec(change(), 0..12), time).prop_map(|(changes, at)| {
        let mut files = example();
        for change in &changes {
            make(change, &mut files);
        }
        Business { files, at, changes }
    })
}

/// The example, in which one commit may delete as much as it likes.
fn example() -> BTreeMap<String, String> {
    fn add(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                add(root, &path, files);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tenants-example");
    let mut files = BTreeMap::new();
    add(&root, &root, &mut files);
    let platform = files.get_mut("platform.yaml").unwrap();
    put(platform, "    limit:", "{ tenants: 99, namespaces: 99, data: 99, objects: 9999 }");
    files
}

fn make(change: &Change, files: &mut BTreeMap<String, String>) {
    match *change {
        Change::Leaves(who) => {
            let Some(folder) = chosen(files, "kind: Tenant", who)
                .and_then(|path| path.rsplit_once('/').map(|(folder, _)| format!("{folder}/")))
            else {
                return;
            };
            files.retain(|path, _| !path.starts_with(&folder));
        }
        Change::Joins(name, package) => {
            if !offered(files, package) {
                return;
            }
            let document = |kind: &str, name: &str, spec: &str| {
                format!(
                    "apiVersion: tenantry.dev/v1\nkind: {kind}\nmetadata:\n  name: {name}\nspec:\n{spec}"
                )
            };
            let tenant = format!(
                "  organisation: {name}\n  contacts: [{{ email: a@{name}.example }}]\n  cluster: saigon\n"
            );
            let subscription = format!(
                "  tenant: {name}\n  package: {package}\n  starts: 2026-11-01\n  paidThrough: 2036-10-31\n"
            );
            files.insert(format!("tenants/{name}/tenant.yaml"), document("Tenant", name, &tenant));
            files.insert(
                format!("tenants/{name}/{package}.yaml"),
                document("Subscription", package, &subscription),
            );
        }
        Change::Paid(who, day) => edit(files, "kind: Subscription", who, "  paidThrough:", day),
        Change::Held(who, reason) => {
            let holds = format!("[{{ reason: {reason} }}]");
            edit(files, "kind: Subscription", who, "  holds:", &holds);
        }
        Change::Counted(who, counter, count) => {
            edit(files, "kind: Subscription", who, &format!("  {counter}:"), &count.to_string());
        }
        Change::Version(what, version) => {
            let Some(path) = chosen(files, "kind: Component", what) else { return };
            let text = files.get_mut(&path).unwrap();
            let image = text.lines().find_map(|line| line.strip_prefix("  image: ")).unwrap();
            let name = image.split(':').next().unwrap().to_owned();
            put(text, "  image:", &format!("{name}:7.{version}.0"));
        }
        Change::Quota(what, quota) => {
            let Some(path) = chosen(files, "kind: Package", what) else { return };
            let text = files.get_mut(&path).unwrap();
            if text.contains("    persistentvolumeclaims:") {
                put(text, "    persistentvolumeclaims:", &quota.to_string());
            }
        }
        Change::Data(what, policy) => {
            let Some(path) = chosen(files, "runs: cluster", what) else { return };
            put(files.get_mut(&path).unwrap(), "  dataOnRemoval:", policy);
        }
        Change::Unsold(what) => {
            let Some(path) = chosen(files, "kind: Package", what) else { return };
            let name = name_in(&files[&path]);
            let bought = format!("  package: {name}\n");
            if !files.values().any(|text| text.contains(&bought)) {
                files.remove(&path);
            }
        }
    }
}

/// One of the files that say something.
fn chosen(files: &BTreeMap<String, String>, says: &str, number: usize) -> Option<String> {
    let those: Vec<&String> =
        files.iter().filter(|(_, text)| text.contains(says)).map(|(path, _)| path).collect();
    those.get(number % those.len().max(1)).map(|path| (*path).clone())
}

fn edit(files: &mut BTreeMap<String, String>, says: &str, number: usize, key: &str, value: &str) {
    if let Some(path) = chosen(files, says, number) {
        put(files.get_mut(&path).unwrap(), key, value);
    }
}

/// Writes a value under a key, in its line or at the end of the specification.
fn put(text: &mut String, key: &str, value: &str) {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let written = format!("{key} {value}");
    match lines.iter_mut().find(|line| line.starts_with(key)) {
        Some(line) => *line = written,
        None => lines.push(written),
    }
    *text = lines.join("\n") + "\n";
}

fn offered(files: &BTreeMap<String, String>, package: &str) -> bool {
    files.values().any(|text| text.contains("kind: Package") && name_in(text) == package)
}

fn name_in(text: &str) -> &str {
    text.lines().find_map(|line| line.strip_prefix("  name: ")).unwrap()
}
