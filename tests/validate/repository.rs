//! A small repository in which nothing is wrong, and the verbs that break it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use tenantry::model::Commit;
use tenantry::model::Severity;
use tenantry::model::Snapshot;
use tenantry::validate::Checked;
use tenantry::validate::check;

use crate::support::example;

#[derive(Clone)]
pub(super) struct Repository {
    files: BTreeMap<String, String>,
}

/// A platform, a cluster, a component, a package, and two tenants who bought it.
pub(super) fn repository() -> Repository {
    Repository { files: BTreeMap::new() }
        .with(
            "platform.yaml",
            &document(
                "Platform",
                "shops",
                "domain: shops.example\ntimeZone: Asia/Jakarta\ncurrency: USD\nreservedSubdomains: [admin]\n",
            ),
        )
        .with(
            "clusters/one.yaml",
            &document(
                "Cluster",
                "one",
                "kubeconfigSecret: one\nkubernetesVersion: \"1.33\"\ningress: { class: nginx, namespace: ingress-nginx }\nstorageClasses: { ssd: local-path }\ncapacity: { cpu: 10, memory: 20Gi }\ndatabaseServer: { host: db.databases.svc, adminSecret: { namespace: databases, name: admin } }\n",
            ),
        )
        .with(
            "components/web.yaml",
            &document(
                "Component",
                "web",
                "image: example/web:1.0\nport: 8080\nroutes: [/]\nresources:\n  requests: { cpu: 250m, memory: 256Mi }\n  limits: { cpu: 500m, memory: 512Mi }\n",
            ),
        )
        .with(
            "packages/basic.yaml",
            &document(
                "Package",
                "basic",
                "product: shop\ntitle: Basic\nprice: 10.00 USD\nruns: cluster\nplacement:\n  templates: shop\n  namespacePrefix: shop-\n  hostname: \"{subdomain}.{domain}\"\ncomponents:\n  - { component: web, replicas: 2 }\nquota:\n  limits.cpu: 2\nlimits: { users: 100 }\n",
            ),
        )
        .tenant("acme", "2026-01-01")
        .tenant("globex", "2026-02-02")
}

/// A whole document.
pub(super) fn document(kind: &str, name: &str, spec: &str) -> String {
    let spec: String = spec.lines().fold(String::new(), |mut text, line| {
        writeln!(text, "  {line}").unwrap();
        text
    });
    format!("apiVersion: tenantry.dev/v1\nkind: {kind}\nmetadata:\n  name: {name}\nspec:\n{spec}")
}

impl Repository {
    /// Adds a file, or puts another one in its place.
    pub(super) fn with(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.to_owned());
        self
    }

    pub(super) fn without(mut self, path: &str) -> Self {
        self.files.remove(path).unwrap();
        self
    }

    pub(super) fn moved(mut self, from: &str, to: &str) -> Self {
        let text = self.files.remove(from).unwrap();
        self.with(to, &text)
    }

    /// Writes something else in a file.
    pub(super) fn changed(mut self, path: &str, from: &str, to: &str) -> Self {
        let text = &self.files[path];
        assert!(text.contains(from), "{path} has no `{from}`");
        let text = text.replace(from, to);
        self.files.insert(path.to_owned(), text);
        self
    }

    /// Adds fields to the specification that a file ends with.
    pub(super) fn adding(mut self, path: &str, fields: &str) -> Self {
        let text = self.files.get_mut(path).unwrap();
        for line in fields.lines() {
            writeln!(text, "  {line}").unwrap();
        }
        self
    }

    /// Adds a tenant with one subscription, `shop`.
    pub(super) fn tenant(self, name: &str, starts: &str) -> Self {
        let tenant = format!(
            "organisation: {name}\ncontacts:\n  - email: admin@{name}.example\nlanguage: en\n"
        );
        let shop = format!("tenant: {name}\npackage: basic\nstarts: {starts}\n");
        self.with(&format!("tenants/{name}/tenant.yaml"), &document("Tenant", name, &tenant))
            .with(&format!("tenants/{name}/shop.yaml"), &document("Subscription", "shop", &shop))
    }

    /// Says how what the package sells is saved.
    pub(super) fn backed_up(self) -> Self {
        let backup =
            "backup: { schedule: \"0 2 * * *\", retention: 30 days, image: \"postgres:15\" }";
        self.adding("packages/basic.yaml", backup)
    }

    /// Asks once for something to be done to the shop of `acme`.
    pub(super) fn task(self, action: &str, with: &str) -> Self {
        let task = format!(
            "tenant: acme\nsubscription: shop\naction: {action}\nasked: 2026-11-20T09:00:00Z\n{with}"
        );
        self.with("tenants/acme/now.yaml", &document("Task", "now", &task))
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot::of(Commit::new(&"a".repeat(40)), &self.files)
    }

    pub(super) fn checked(&self) -> Checked {
        let snapshot = self.snapshot();
        check(&example::configuration(&snapshot), &snapshot, &templates())
    }

    /// What the rules say, and who is held.
    pub(super) fn said(&self) -> String {
        let checked = self.checked();
        let mut said = String::new();
        for finding in &checked.findings {
            let severity = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            let place = &finding.place;
            let at = format!("{}:{}:{}", place.file, place.line, place.column);
            writeln!(said, "{at} {severity} {}: {}", finding.rule, finding.message).unwrap();
            for (place, what) in &finding.related {
                let at = format!("{}:{}:{}", place.file, place.line, place.column);
                writeln!(said, "  {at} {what}").unwrap();
            }
            if let Some(help) = &finding.help {
                writeln!(said, "  help: {help}").unwrap();
            }
        }
        let names = |names: Vec<String>| {
            if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
        };
        let held = names(checked.held.keys().map(ToString::to_string).collect());
        let valid = names(checked.valid.keys().map(ToString::to_string).collect());
        write!(said, "held: {held}; valid: {valid}").unwrap();
        if !checked.complete {
            said.push_str("; absence proves nothing");
        }
        said
    }
}

pub(super) fn templates() -> BTreeSet<String> {
    [
        "shop/namespace/namespace.yaml",
        "shop/task/backup.yaml",
        "shop/task/final-backup.yaml",
        "shop/task/restore.yaml",
        "shop/task/verify.yaml",
        "component/web.yaml",
        "component/redis.yaml",
    ]
    .map(str::to_owned)
    .into()
}
