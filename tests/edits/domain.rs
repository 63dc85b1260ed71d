//! Each change that the portal makes, as the difference that a person sees in review.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tenantry::edits::Draft;
use tenantry::edits::Refused;
use tenantry::edits::subscriptions;
use tenantry::edits::tasks;
use tenantry::edits::tenants;
use tenantry::model::subscription::HoldReason;
use tenantry::model::tenant::Language;

use super::a_subscription;
use super::a_tenant;
use super::name;
use super::read;
use crate::support::example;

/// The lines that a change takes away and adds, by file.
fn difference(
    tenant: &str,
    change: impl Fn(&mut Draft<'_>) -> Result<(), Refused>,
) -> Result<String, Refused> {
    let snapshot = example::snapshot();
    let configuration = example::configuration(&snapshot);
    let mut draft = Draft::new(&snapshot, &configuration, Some(&name(tenant)));
    change(&mut draft)?;
    let changes = draft.done();
    let mut said = String::new();
    for (path, content) in changes.files() {
        let after = content.map(|content| String::from_utf8(content.to_vec()).unwrap());
        let before = snapshot.text(&path).unwrap_or_default();
        let how = match (&after, before.is_empty()) {
            (None, _) => " is gone",
            (Some(_), true) => " is new",
            (Some(_), false) => "",
        };
        writeln!(said, "{path}{how}").unwrap();
        let after = after.unwrap_or_default();
        if !after.is_empty() {
            for change in similar::TextDiff::from_lines(before, &after).iter_all_changes() {
                if change.tag() != similar::ChangeTag::Equal {
                    write!(said, "{}{change}", change.tag()).unwrap();
                }
            }
        }
    }
    Ok(said)
}

#[track_caller]
fn changes(tenant: &str, change: impl Fn(&mut Draft<'_>) -> Result<(), Refused>, expected: &str) {
    assert_eq!(difference(tenant, change).unwrap(), expected);
}

#[track_caller]
fn refuses(tenant: &str, change: impl Fn(&mut Draft<'_>) -> Result<(), Refused>, expected: &str) {
    assert_eq!(difference(tenant, change).unwrap_err().to_string(), expected);
}

#[test]
fn a_customer_comes_with_what_they_bought_and_asked_for() {
    changes(
        "initech",
        |draft| {
            tenants::add(draft, &name("initech"), &a_tenant())?;
            subscriptions::add(draft, &name("automation"), &a_subscription("initech"))?;
            let task = read(
                "tenant: initech\nsubscription: automation\naction: verify\nasked: 2026-11-20T09:00:00Z\n",
            );
            tasks::add(draft, &name("initech-verify"), &task)
        },
        "tenants/initech/automation.yaml is new\n\
         +apiVersion: tenantry.dev/v1\n+kind: Subscription\n+metadata:\n+  name: automation\n+spec:\n+  \
         tenant: initech\n+  package: n8n\n+  subdomain: initech\n+  starts: 2026-11-21\n+  paidThrough: 2026-12-20\n\
         tenants/initech/initech-verify.yaml is new\n\
         +apiVersion: tenantry.dev/v1\n+kind: Task\n+metadata:\n+  name: initech-verify\n+spec:\n+  \
         tenant: initech\n+  subscription: automation\n+  action: verify\n+  asked: \"2026-11-20T09:00:00Z\"\n\
         tenants/initech/tenant.yaml is new\n\
         +apiVersion: tenantry.dev/v1\n+kind: Tenant\n+metadata:\n+  name: initech\n+spec:\n+  \
         organisation: A new one\n+  contacts:\n+    - { email: admin@new.example, role: admin }\n+  \
         language: vi\n+  cluster: saigon\n",
    );
}

#[test]
fn a_name_that_is_taken_or_missing_is_refused() {
    refuses(
        "acme",
        |draft| tenants::add(draft, &name("acme"), &a_tenant()),
        "there is a tenant `acme` already, in tenants/acme/tenant.yaml: choose another name",
    );
    refuses(
        "initech",
        |draft| subscriptions::add(draft, &name("shop"), &a_subscription("initech")),
        "there is no tenant `initech`: check the name, or add it first",
    );
    refuses(
        "acme",
        |draft| subscriptions::restart(draft, &name("acme"), &name("shop")),
        "there is no subscription `acme/shop`: check the name, or add it first",
    );
    refuses(
        "acme",
        |draft| subscriptions::set_package(draft, &name("acme"), &name("school"), &name("gold")),
        "there is no package `gold`: check the name, or add it first",
    );
    refuses(
        "acme",
        |draft| {
            let task = read(
                "tenant: acme\nsubscription: school\naction: verify\nasked: 2026-11-20T09:00:00Z\n",
            );
            tasks::add(draft, &name("acme-verify-2026-11"), &task)
        },
        "there is a task `acme-verify-2026-11` already, in tenants/acme/verify.yaml: choose another name",
    );
}

#[test]
fn what_ended_is_purged_by_its_name_and_kept_again_when_it_comes_back() {
    let (acme, blog) = (name("acme"), name("blog"));
    changes(
        "acme",
        |draft| {
            tenants::purge(draft, &acme, &name("shop"))?;
            tenants::purge(draft, &acme, &blog)?;
            tenants::purge(draft, &acme, &blog)
        },
        "tenants/acme/tenant.yaml\n+  purged: [shop, blog]\n",
    );
    // Written and taken back in one draft, its tenant reads as before.
    changes(
        "acme",
        |draft| {
            tenants::purge(draft, &acme, &blog)?;
            subscriptions::add(draft, &blog, &a_subscription("acme"))
        },
        "tenants/acme/blog.yaml is new\n\
         +apiVersion: tenantry.dev/v1\n+kind: Subscription\n+metadata:\n+  name: blog\n+spec:\n+  \
         tenant: acme\n+  package: n8n\n+  subdomain: acme\n+  starts: 2026-11-21\n+  paidThrough: 2026-12-20\n\
         tenants/acme/tenant.yaml\n",
    );
    refuses(
        "acme",
        |draft| tenants::purge(draft, &acme, &name("school")),
        "the subscription `school` of `acme` has not ended: remove it first",
    );
}

#[test]
fn nobody_changes_another_s() {
    refuses(
        "acme",
        |draft| subscriptions::restart(draft, &name("globex"), &name("campus")),
        "tenants/globex/campus.yaml is not in `tenants/acme/`: move what belongs to `acme` there first",
    );
}

#[test]
fn what_is_bought_changes_in_its_lines() {
    let (globex, campus) = (name("globex"), name("campus"));
    changes(
        "globex",
        |draft| {
            subscriptions::set_package(draft, &globex, &campus, &name("kiteclass-enterprise"))?;
            subscriptions::set_paid_through(
                draft,
                &globex,
                &campus,
                Some("2037-01-30".parse().unwrap()),
            )?;
            let more = read("limits: {users: 4000}\ncomponents: {user: {replicas: 3}}\n");
            subscriptions::set_overrides(draft, &globex, &campus, &more)?;
            subscriptions::set_add_ons(draft, &globex, &campus, &BTreeMap::new())?;
            let domains = ["learn.globex.example".to_owned(), "mobile.globex.example".to_owned()];
            subscriptions::set_domains(draft, &globex, &campus, &domains)
        },
        "tenants/globex/campus.yaml\n\
         -  package: kiteclass-premium\n+  package: kiteclass-enterprise\n\
         -  paidThrough: 2036-01-30\n+  paidThrough: 2037-01-30\n\
         -  domains: [learn.globex.example]\n+  domains: [learn.globex.example, mobile.globex.example]\n\
         -    limits: { users: 3000 }\n-  addOns: { storage-50: 2 }\n\
         +    limits: { users: 4000 }\n+    components:\n+      user:\n+        replicas: 3\n",
    );
    let day = "2036-01-30".parse().unwrap();
    changes(
        "globex",
        |draft| subscriptions::set_paid_through(draft, &globex, &campus, Some(day)),
        "",
    );
}

#[test]
fn holds_come_with_a_reason_and_go_by_it() {
    let (acme, school) = (name("acme"), name("school"));
    let hold =
        |draft: &mut Draft<'_>, text: &str| subscriptions::hold(draft, &acme, &school, &read(text));
    changes(
        "acme",
        |draft| {
            hold(draft, "{reason: overdue, note: an invoice}")?;
            hold(draft, "{reason: abuse}")?;
            hold(draft, "{reason: overdue, note: two invoices}")
        },
        "tenants/acme/school.yaml\n+  holds:\n+    - { reason: overdue, note: two invoices }\n+    - { reason: abuse }\n",
    );
    changes(
        "acme",
        |draft| {
            hold(draft, "{reason: overdue}")?;
            hold(draft, "{reason: abuse}")?;
            subscriptions::lift(draft, &acme, &school, HoldReason::Overdue)
        },
        "tenants/acme/school.yaml\n+  holds:\n+    - { reason: abuse }\n",
    );
    changes(
        "acme",
        |draft| {
            hold(draft, "{reason: overdue}")?;
            subscriptions::lift(draft, &acme, &school, HoldReason::Overdue)?;
            subscriptions::lift(draft, &acme, &school, HoldReason::Operator)
        },
        "tenants/acme/school.yaml\n",
    );
}

#[test]
fn counters_count_up() {
    let (acme, school) = (name("acme"), name("school"));
    changes(
        "acme",
        |draft| {
            subscriptions::restart(draft, &acme, &school)?;
            subscriptions::restart(draft, &acme, &school)?;
            subscriptions::rotate(draft, &acme, &school)
        },
        "tenants/acme/school.yaml\n+  restarts: 2\n+  rotations: 1\n",
    );
}

#[test]
fn a_cancellation_is_a_line_and_can_be_taken_back() {
    let (acme, school) = (name("acme"), name("school"));
    changes(
        "acme",
        |draft| subscriptions::set_cancel_at_period_end(draft, &acme, &school, true),
        "tenants/acme/school.yaml\n+  cancelAtPeriodEnd: true\n",
    );
    changes(
        "acme",
        |draft| {
            subscriptions::set_cancel_at_period_end(draft, &acme, &school, true)?;
            subscriptions::set_cancel_at_period_end(draft, &acme, &school, false)
        },
        "tenants/acme/school.yaml\n",
    );
    refuses(
        "acme",
        |draft| {
            subscriptions::set_paid_through(draft, &acme, &school, None)?;
            subscriptions::set_cancel_at_period_end(draft, &acme, &school, true)
        },
        "the subscription `school` of `acme` has no `paidThrough` at which it could end: remove it, or put a day first",
    );
}

#[test]
fn a_tenant_looks_and_speaks_in_another_way() {
    let acme = name("acme");
    changes(
        "acme",
        |draft| {
            let branding =
                read("primaryColor: '#000000'\nlogo: https://cdn.acme.example/logo.png\n");
            tenants::set_branding(draft, &acme, Some(&branding))?;
            tenants::set_language(draft, &acme, Language::Vi)?;
            let contacts: Vec<_> =
                ["{email: admin@acme.com}", "{email: pay@acme.com, role: billing}"]
                    .into_iter()
                    .map(read)
                    .collect();
            tenants::set_contacts(draft, &acme, &contacts)?;
            tenants::set_organisation(draft, &acme, "ACME: the company")
        },
        "tenants/acme/tenant.yaml\n\
         -  organisation: ACME Corp\n+  organisation: \"ACME: the company\"\n\
         -  language: en\n+    - { email: pay@acme.com, role: billing }\n+  language: vi\n\
         -    primaryColor: \"#3B82F6\"\n-    secondaryColor: \"#10B981\"\n\
         +    primaryColor: \"#000000\"\n+    logo: https://cdn.acme.example/logo.png\n",
    );
    changes(
        "acme",
        |draft| tenants::set_branding(draft, &acme, None),
        "tenants/acme/tenant.yaml\n\
         -  branding:\n-    primaryColor: \"#3B82F6\"\n-    secondaryColor: \"#10B981\"\n",
    );
    refuses(
        "acme",
        |draft| tenants::set_contacts(draft, &acme, &[]),
        "`acme` would have nobody to write to: keep one contact",
    );
}

#[test]
fn what_ends_is_gone_with_its_file() {
    changes(
        "acme",
        |draft| subscriptions::remove(draft, &name("acme"), &name("school")),
        // The task was about it.
        "tenants/acme/school.yaml is gone\ntenants/acme/verify.yaml is gone\n",
    );
    changes(
        "acme",
        |draft| tenants::remove(draft, &name("acme")),
        "tenants/acme/school.yaml is gone\ntenants/acme/tenant.yaml is gone\ntenants/acme/verify.yaml is gone\n",
    );
}

#[test]
fn a_document_that_meets_a_file_of_its_name_stands_below_what_is_there() {
    changes(
        "acme",
        |draft| {
            let task = read(
                "tenant: acme\nsubscription: school\naction: backup\nasked: 2026-11-20T09:00:00Z\n",
            );
            tasks::add(draft, &name("school"), &task)
        },
        "tenants/acme/school.yaml\n+---\n+apiVersion: tenantry.dev/v1\n+kind: Task\n+metadata:\n+  name: school\n+spec:\n+  \
         tenant: acme\n+  subscription: school\n+  action: backup\n+  asked: \"2026-11-20T09:00:00Z\"\n",
    );
}
