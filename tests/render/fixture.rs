//! A repository in memory, with verbs, rendered as the daemon would.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use tenantry::model::Commit;
use tenantry::model::Configuration;
use tenantry::model::Finding;
use tenantry::model::Resource;
use tenantry::model::Snapshot;
use tenantry::model::read::read_file;
use tenantry::model::resource::OnDelete;
use tenantry::model::snapshot::holds_documents;
use tenantry::render::RenderError;
use tenantry::render::Rendering;
use tenantry::render::Templates;
use tenantry::render::render;
use tenantry::validate::Checked;
use tenantry::validate::ValidTenant;
use tenantry::validate::check;

/// A day on which all tenants of the example but `rizky` are active.
pub(super) const NOW: &str = "2026-11-20T00:00:00Z";

/// The files of a repository.
#[derive(Clone)]
pub(super) struct Files(pub(super) BTreeMap<String, Vec<u8>>);

impl Files {
    /// The example that is part of this repository.
    pub(super) fn example() -> Self {
        fn add(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    add(root, &path, files);
                } else {
                    let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                    files.insert(name, std::fs::read(&path).unwrap());
                }
            }
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tenants-example");
        let mut files = BTreeMap::new();
        add(&root, &root, &mut files);
        Self(files)
    }

    /// Writes a file, or replaces it.
    pub(super) fn with(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.0.insert(path.to_owned(), content.as_ref().to_vec());
        self
    }

    /// Replaces text that a file holds.
    #[track_caller]
    pub(super) fn edit(mut self, path: &str, from: &str, to: &str) -> Self {
        let content = self.0.get_mut(path).unwrap();
        let text = std::str::from_utf8(content).unwrap();
        assert!(text.contains(from), "{path} holds no {from:?}");
        *content = text.replace(from, to).into_bytes();
        self
    }

    pub(super) fn read(&self) -> Repository {
        let snapshot = Snapshot::of(Commit::new("0"), &self.0);
        let (templates, findings) = Templates::of(&snapshot);
        let files = snapshot.files.values().filter(|file| holds_documents(&file.path));
        let files = files.map(|file| Arc::new(read_file(file))).collect();
        let configuration = Configuration::of(files);
        let checked = check(&configuration, &snapshot, &templates.names());
        Repository { templates, findings, checked }
    }

    /// Renders one tenant at [`NOW`].
    #[track_caller]
    pub(super) fn render(&self, tenant: &str) -> Rendering {
        self.try_render(tenant).unwrap_or_else(|error| panic!("{error} ({:?})", error.help))
    }

    #[track_caller]
    pub(super) fn try_render(&self, tenant: &str) -> Result<Rendering, RenderError> {
        self.read().render(tenant, NOW)
    }

    /// Renders a tenant, and tells why that does not go: place, message and help.
    #[track_caller]
    pub(super) fn refused(&self, tenant: &str) -> String {
        match self.try_render(tenant) {
            Ok(_) => panic!("`{tenant}` is rendered"),
            Err(error) => format!("{error}\n  help: {}", error.help.as_deref().unwrap_or("")),
        }
    }
}

/// A repository that was read and checked.
pub(super) struct Repository {
    pub(super) templates: Templates,
    pub(super) findings: Vec<Finding>,
    pub(super) checked: Checked,
}

impl Repository {
    #[track_caller]
    pub(super) fn tenant(&self, name: &str) -> &ValidTenant {
        let unit = name.parse().unwrap();
        self.checked.valid.get(&unit).unwrap_or_else(|| {
            panic!("`{name}` is held: {:?} {:?}", self.checked.held, self.checked.findings)
        })
    }

    #[track_caller]
    pub(super) fn render(&self, tenant: &str, now: &str) -> Result<Rendering, RenderError> {
        let now: Timestamp = now.parse().unwrap();
        render(self.tenant(tenant), &self.templates, now)
    }
}

/// Ways to look at what was rendered.
pub(super) trait Rendered {
    /// The only resource of a kind.
    fn one(&self, kind: &str) -> &Resource;
    /// The resource of a kind and name.
    fn named(&self, kind: &str, name: &str) -> &Resource;
    /// Every resource, as `Kind/namespace/name`.
    fn ids(&self) -> BTreeSet<String>;
}

impl Rendered for Rendering {
    #[track_caller]
    fn one(&self, kind: &str) -> &Resource {
        let mut of_kind = self.rendered.resources.iter().filter(|one| &*one.id.kind == kind);
        let one = of_kind.next().unwrap();
        assert!(of_kind.next().is_none(), "there are several {kind}s");
        one
    }

    #[track_caller]
    fn named(&self, kind: &str, name: &str) -> &Resource {
        let is = |one: &&Resource| &*one.id.kind == kind && &*one.id.name == name;
        self.rendered.resources.iter().find(is).unwrap_or_else(|| panic!("no {kind} `{name}`"))
    }

    fn ids(&self) -> BTreeSet<String> {
        self.rendered.resources.iter().map(|one| one.id.to_string()).collect()
    }
}

/// What was rendered, as people read it: YAML, with what is not in the object in a comment above.
pub(super) fn text(rendering: &Rendering) -> String {
    let mut text = String::new();
    for resource in &rendering.rendered.resources {
        let subscription =
            resource.subscription.as_ref().map_or(String::new(), |name| format!(" of {name}"));
        let policy = match resource.on_delete {
            OnDelete::Delete => "",
            OnDelete::Keep => ", kept",
            OnDelete::Orphan => ", orphaned",
        };
        writeln!(text, "--- # {}: {}{subscription}{policy}", resource.stage, resource.id).unwrap();
        text.push_str(&serde_yaml::to_string(&resource.body).unwrap());
    }
    text
}
