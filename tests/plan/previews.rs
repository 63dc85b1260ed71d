//! Two renderings of some tenants, and what the way from one to the other is said to do.

use serde_json::Value;
use serde_json::json;
use tenantry::model::Name;
use tenantry::model::Resource;
use tenantry::model::ResourceId;
use tenantry::model::UnitName;
use tenantry::model::platform::DeletionLimit;
use tenantry::model::platform::Deletions;
use tenantry::model::resource::OnDelete;
use tenantry::model::resource::Rendered;
use tenantry::model::resource::Stage;
use tenantry::plan::Preview;
use tenantry::plan::preview::Held;
use tenantry::plan::preview::between;
use tenantry::plan::show;

/// A tenant with a namespace, a volume, a web server and a subscription `school`.
#[derive(Clone)]
struct Story {
    tenant: &'static str,
    cluster: &'static str,
    image: &'static str,
    replicas: u16,
    keeps_data: bool,
    with_database: bool,
    schemas: &'static [&'static str],
}

impl Story {
    fn of(tenant: &'static str) -> Self {
        Self {
            tenant,
            cluster: "main",
            image: "web:1",
            replicas: 1,
            keeps_data: false,
            with_database: false,
            schemas: &["class"],
        }
    }

    fn image(self, image: &'static str) -> Self {
        Self { image, ..self }
    }

    fn replicas(self, replicas: u16) -> Self {
        Self { replicas, ..self }
    }

    fn on(self, cluster: &'static str) -> Self {
        Self { cluster, ..self }
    }

    fn with_database(self) -> Self {
        Self { with_database: true, ..self }
    }

    fn schemas(self, schemas: &'static [&'static str]) -> Self {
        Self { schemas, ..self.with_database() }
    }

    fn keeps_data(self) -> Self {
        Self { keeps_data: true, ..self }
    }

    fn rendered(&self) -> Rendered {
        let namespace = format!("kiteclass-{}", self.tenant);
        let unit = UnitName::Tenant(self.tenant.parse().unwrap());
        let resource = |group: &str, kind: &str, name: &str, stage: Stage, spec: Value| {
            let holds = if kind == "Namespace" { "" } else { &namespace };
            let id = ResourceId::new(group, kind, holds, name);
            let keep = self.keeps_data && (id.holds_data() || id.is_namespace());
            let on_delete = if keep { OnDelete::Keep } else { OnDelete::Delete };
            let version = if group.is_empty() { "v1".into() } else { format!("{group}/v1") };
            let body = json!({"apiVersion": version, "kind": kind,
                "metadata": {"name": name, "namespace": holds}, "spec": spec});
            let school: Name = "school".parse().unwrap();
            Resource::new(id, Some(school), stage, on_delete, body)
        };
        let web = json!({"replicas": self.replicas, "template": {"spec": {"containers": [{
            "name": "web", "image": self.image,
            "env": [{"name": "HOST", "value": format!("{}.example.com", self.tenant)}],
        }]}}});
        let mut resources = vec![
            resource("", "Namespace", &namespace, Stage::Namespace, json!({})),
            resource("", "PersistentVolumeClaim", "data", Stage::Database, json!({"size": "1Gi"})),
            resource("apps", "Deployment", "web", Stage::Services, web),
            resource("", "Service", "web", Stage::Network, json!({"ports": [{"port": 80}]})),
        ];
        if self.with_database {
            let spec = json!({"database": self.tenant, "schemas": self.schemas});
            resources.push(resource(
                "tenantry.dev",
                "Database",
                self.tenant,
                Stage::Database,
                spec,
            ));
        }
        Rendered::new(unit, self.cluster.parse().unwrap(), resources)
    }
}

fn now() -> jiff::Timestamp {
    "2026-11-24T09:00:00Z".parse().unwrap()
}

/// The preview of the way between two states; this is the only call to [`between`].
fn preview(from: &[Story], to: &[Story]) -> Preview {
    preview_within(&DeletionLimit::default(), from, to)
}

fn preview_within(limit: &DeletionLimit, from: &[Story], to: &[Story]) -> Preview {
    let render =
        |stories: &[Story]| -> Vec<Rendered> { stories.iter().map(Story::rendered).collect() };
    let (from, to) = (render(from), render(to));
    let mut names: Vec<&UnitName> = from.iter().chain(&to).map(|one| &one.unit).collect();
    names.sort();
    names.dedup();
    let find = |side: &'_ [Rendered], name: &UnitName| {
        side.iter().position(|rendered| rendered.unit == *name)
    };
    let units = names.into_iter().filter_map(|name| {
        between(find(&from, name).map(|at| &from[at]), find(&to, name).map(|at| &to[at]), now())
    });
    let deletions = Deletions { limit: limit.clone(), approved: Vec::new() };
    Preview::new(units, Vec::new(), &deletions, None)
}

#[test]
fn nothing_to_do_is_said_in_a_line() {
    let acme = [Story::of("acme")];
    assert_eq!(show::text(&preview(&acme, &acme), false), "Plan: no changes\n");
}

#[test]
fn a_new_tenant_is_a_list_of_what_it_gets() {
    let acme = [Story::of("acme"), Story::of("beta")];
    insta::assert_snapshot!(show::text(&preview(&acme[..1], &acme), false));
}

#[test]
fn a_change_is_told_field_by_field() {
    let from = [Story::of("acme")];
    let to = [Story::of("acme").image("web:2").replicas(3).with_database()];
    insta::assert_snapshot!(show::text(&preview(&from, &to), false));
}

#[test]
fn colours_are_there_where_they_are_asked_for() {
    let from = [Story::of("acme"), Story::of("beta")];
    let to = [Story::of("acme").image("web:2")];
    let shown = show::text(&preview(&from, &to), true);
    insta::assert_snapshot!(shown.replace('\u{1b}', "ESC"));
}

#[test]
fn a_removed_tenant_says_what_no_revert_brings_back() {
    let from = [Story::of("acme").with_database(), Story::of("beta")];
    let preview = preview(&from, &from[1..]);
    assert_eq!(preview.losses.tenants, 1);
    assert_eq!(preview.losses.subscriptions, 1);
    assert_eq!(preview.losses.data, 2);
    insta::assert_snapshot!(show::text(&preview, false));
}

#[test]
fn what_its_policy_keeps_is_not_lost() {
    let from = [Story::of("acme").keeps_data()];
    let preview = preview(&from, &[]);
    assert_eq!(preview.losses.irrevocable, []);
    insta::assert_snapshot!(show::text(&preview, false));
}

#[test]
fn what_is_over_the_deletion_limit_is_parked() {
    let from = ["acme", "beta", "gamma"].map(Story::of);
    let limit = DeletionLimit { tenants: 1, ..DeletionLimit::default() };
    let preview = preview_within(&limit, &from, &[from[0].clone().image("web:2")]);
    assert_eq!(preview.totals.destroy, 0);
    assert_eq!(preview.totals.change, 1);
    insta::assert_snapshot!(show::text(&preview, false));
}

#[test]
fn what_leaves_a_database_is_told_to_stay_in_it() {
    let (from, to) = (Story::of("acme").schemas(&["class", "forum"]), Story::of("acme"));
    let preview = preview(&[from], &[to.schemas(&["class"])]);
    insta::assert_snapshot!(show::text(&preview, false));
}

#[test]
fn moving_to_another_cluster_makes_everything_again_and_loses_the_data() {
    let preview = preview(&[Story::of("acme")], &[Story::of("acme").on("other")]);
    insta::assert_snapshot!(show::text(&preview, false));
}

#[test]
fn equal_changes_of_many_tenants_are_told_once_and_outliers_apart() {
    let names: Vec<&'static str> =
        (1..=412).map(|number| &*Box::leak(format!("tenant-{number}").into_boxed_str())).collect();
    let from: Vec<Story> = names.iter().map(|name| Story::of(name)).collect();
    let mut to: Vec<Story> = from.iter().map(|story| story.clone().image("web:2")).collect();
    to[40] = to[40].clone().replicas(2);
    to[100] = to[100].clone().image("web:3");
    insta::assert_snapshot!(show::text(&preview(&from, &to), false));
}

#[test]
fn the_digest_is_that_of_what_would_be_done() {
    let from = [Story::of("acme"), Story::of("beta")];
    let once = preview(&from, &[from[0].clone().image("web:2"), from[1].clone()]);
    let again = preview(&from, &[from[0].clone().image("web:2"), from[1].clone()]);
    let other = preview(&from, &[from[0].clone().image("web:3"), from[1].clone()]);
    assert_eq!(once.digest, again.digest);
    assert_ne!(once.digest, other.digest);
}

#[test]
fn for_machines_it_is_json() {
    let from = [Story::of("acme"), Story::of("beta").with_database()];
    let mut preview = preview(&from, &[Story::of("acme").image("web:2")]);
    preview.held.push(Held {
        unit: UnitName::Tenant("gamma".parse().unwrap()),
        why: "tenants/gamma/tenant.yaml:3: there is no package `BASIK`".into(),
    });
    insta::assert_json_snapshot!(preview);
}
