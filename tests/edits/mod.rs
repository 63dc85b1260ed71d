//! Edits: what the portal changes in people's YAML, and how that becomes commits on the branch.

mod committing;
mod domain;
mod killed;
mod racing;
pub(crate) mod review;
mod remotes;
mod signing;
mod speed;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use jiff::Timestamp;
use tempfile::TempDir;
use tenantry::edits::Delivery;
use tenantry::edits::Draft;
use tenantry::edits::Edit;
use tenantry::edits::Editor;
use tenantry::edits::Refused;
use tenantry::edits::SigningKey;
use tenantry::edits::subscriptions;
use tenantry::edits::tenants;
use tenantry::model::Name;
use tenantry::model::Subscription;
use tenantry::model::Tenant;
use tenantry::source::Settings;
use tenantry::source::commits::Person;

use crate::support::repository::TestRepo;

/// The example in a bare repository.
fn example() -> TestRepo {
    let repository = TestRepo::bare();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("tenants-example");
    repository.write_folder(&example, "").commit("the example");
    repository
}

fn person(name: &str, email: &str) -> Person {
    Person { name: name.to_owned(), email: email.to_owned() }
}

/// An editor, and the folder of its cache.
struct Desk {
    editor: Editor,
    _cache: TempDir,
}

impl Desk {
    async fn at(repository: &TestRepo) -> Self {
        Self::with(Settings::of(repository.file_url().parse().unwrap()), None).await
    }

    async fn with(settings: Settings, signing: Option<SigningKey>) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let portal = person("Tenantry", "portal@tenantry.example");
        let editor = Editor::open(settings, cache.path(), portal, signing).await.unwrap();
        Self { editor, _cache: cache }
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> T {
    let (documents, refused) = tenantry::model::yaml::read(text.as_bytes());
    assert_eq!(refused, []);
    tenantry::model::typed::read(&documents[0]).unwrap()
}

/// An edit for a tenant, asked for by somebody of theirs.
fn edit(
    intent: &str,
    tenant: &str,
    change: impl Fn(&mut Draft<'_>) -> Result<(), Refused> + Send + Sync + 'static,
) -> Edit {
    Edit {
        intent: intent.parse().unwrap(),
        author: person(&format!("Somebody of {tenant}"), &format!("admin@{tenant}.example")),
        at: "2026-11-21T08:00:00Z".parse::<Timestamp>().unwrap(),
        tenant: Some(name(tenant)),
        subject: format!("Change {tenant}"),
        body: String::new(),
        trailers: vec![
            ("Request-Id".into(), format!("request-of-{intent}")),
            ("Actor".into(), format!("admin@{tenant}.example")),
        ],
        delivery: Delivery::Commit,
        change: Arc::new(change),
    }
}

/// A new customer with what they bought first.
fn order(tenant: &str) -> Edit {
    let customer = name(tenant);
    edit(&format!("order-{tenant}"), tenant, move |draft| {
        tenants::add(draft, &customer, &a_tenant())?;
        subscriptions::add(draft, &name("automation"), &a_subscription(customer.as_str()))
    })
}

fn restart(intent: &str, tenant: &'static str, subscription: &'static str) -> Edit {
    edit(intent, tenant, move |draft| {
        subscriptions::restart(draft, &name(tenant), &name(subscription))
    })
}

fn a_tenant() -> Tenant {
    read(
        "organisation: A new one\ncontacts: [{email: admin@new.example, role: admin}]\nlanguage: vi\ncluster: saigon\n",
    )
}

fn a_subscription(tenant: &str) -> Subscription {
    read(&format!(
        "tenant: {tenant}\npackage: n8n\nstarts: 2026-11-21\npaidThrough: 2026-12-20\nsubdomain: {tenant}\n"
    ))
}

/// Runs the `git` program in a folder, as a person does.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.test"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) }
}

/// What `git log` says of the branch, a line for each commit, newest first.
fn log(repository: &TestRepo, format: &str) -> Vec<String> {
    let format = format!("--format={format}");
    let said = git(&repository.git_folder(), &["log", &format, "main"]).unwrap();
    said.lines().map(str::to_owned).filter(|line| !line.is_empty()).collect()
}
