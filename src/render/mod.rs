//! Templates and a valid tenant to resources: pure, deterministic, and bounded in its work.
//!
//! ```text
//!   ValidTenant ─► context ─► templates ─► text ─► documents ─► resources, inside the fence
//!        └─────────── reads: what of the shared documents was really asked for
//! ```
//!
//! What a template may say is in [`language`]; what it sees is in [`context`]. It speaks to us,
//! not to Kubernetes, in annotations:
//!
//! - `tenantry.dev/stage: Database` puts an object into another stage than its kind's usual one.
//!   It is taken off the object.
//! - `tenantry.dev/once: "true"` on a Job makes a digest of its pods part of its name: what runs
//!   something else is another job, and what has not changed never runs twice. Taken off.
//! - `tenantry.dev/on-delete: keep | orphan | delete` says what becomes of an object when no
//!   document asks for it any more. It stays on the object.
//! - `tenantry.dev/generate: '{"password": 32}'` on a Secret asks for credentials that are made
//!   once and kept in it: each key with its length, of what URLs can hold. In the Secret's
//!   `stringData`, `$(password)` stands for such a value, so that others can be built around it:
//!   `url: postgresql://acme_user:$(password)@host/db`. Rendering stays pure: whoever applies the
//!   Secret makes what is missing, keeps what is there, and fills in the rest.
//! - `tenantry.dev/rotation: "2"` beside it counts the rotations: when it differs from the live
//!   Secret's, all its credentials are made anew.
//!
//! - `tenantry.dev/result: 2026-11-27T0200Z.dump` on the Job of a task says what it leaves behind
//!   where it goes well. Taken off.
//!
//! What a host becomes is in [`render_host`].
//!
//! A document of `apiVersion: tenantry.dev/v1`, `kind: Database` is a database on the cluster's
//! server; its `spec` is a [`DatabaseSpec`](crate::model::resource::DatabaseSpec).

mod built_in;
mod context;
mod document;
mod error;
mod filters;
mod host;
mod language;
mod lines;
mod names;
mod objects;
mod ownership;
mod placeholders;
mod reads;
mod templates;
mod values;
mod versions;

use std::collections::BTreeMap;

use jiff::Timestamp;
use minijinja::Value;

pub use error::RenderError;
pub use host::render_host;
pub use reads::Reads;
pub use templates::Templates;

use crate::model::Name;
use crate::model::Phase;
use crate::model::Resource;
use crate::model::resource::Rendered;
use crate::validate::ValidTenant;
use context::NamespaceContext;
use context::Unit;
use objects::Origin;
use ownership::Fence;
use reads::Trace;

/// What a tenant comes to at a time.
#[derive(Clone, Debug)]
pub struct Rendering {
    pub rendered: Rendered,
    /// What was read to make it.
    pub reads: Reads,
    /// When the clock alone changes it next.
    pub next_change: Option<Timestamp>,
    /// Where each subscription that runs on a cluster stands in its life.
    pub phases: BTreeMap<Name, Phase>,
}

/// Renders everything a tenant asks for.
pub fn render(
    tenant: &ValidTenant,
    templates: &Templates,
    now: Timestamp,
) -> Result<Rendering, RenderError> {
    let mut trace = Trace::default();
    let unit = Unit::new(tenant, templates, now, &mut trace)?;
    let fence = Fence::of(tenant, unit.minor);
    let mut making = Making { templates, fence: &fence, resources: Vec::new() };
    let mut phases = BTreeMap::new();
    let mut next_change: Option<Timestamp> = None;
    for namespace in &tenant.namespaces {
        let context = unit.namespace(namespace, &mut trace)?;
        for subscription in &context.subscriptions {
            phases.insert(subscription.valid.name().clone(), subscription.phase);
            let earlier = next_change.into_iter().chain(subscription.next_change).min();
            next_change = earlier;
        }
        making.namespace(&context, &mut trace)?;
    }
    let cluster = tenant.cluster.name.clone();
    let rendered = Rendered::new(tenant.unit.clone(), cluster, making.resources);
    Ok(Rendering { rendered, reads: trace.finish(tenant), next_change, phases })
}

/// The resources made so far.
struct Making<'a> {
    templates: &'a Templates,
    fence: &'a Fence<'a>,
    resources: Vec<Resource>,
}

impl Making<'_> {
    fn namespace(
        &mut self,
        context: &NamespaceContext<'_>,
        trace: &mut Trace,
    ) -> Result<(), RenderError> {
        let folder = |subscription: &context::SubscriptionContext<'_>| {
            let placement = subscription.valid.package.spec.placement.as_ref();
            placement.map_or("", |placement| placement.templates.as_str()).to_owned()
        };
        let Some(first) = context.subscriptions.first() else { return Ok(()) };
        let shared = folder(first);
        if let Some(other) = context.subscriptions.iter().find(|other| folder(other) != shared) {
            let place = crate::model::Place::file(&other.valid.document.origin.file);
            let message = format!(
                "`{}` and `{}` share a namespace, but their packages use the templates `{shared}` and `{}`",
                first.valid.name(),
                other.valid.name(),
                folder(other),
            );
            return Err(RenderError::new(
                place,
                message,
                "give one of the packages another `namespacePrefix`",
            ));
        }
        let Some(files) = self.templates.folder(&shared) else {
            let place = templates::place(&shared, 0);
            let help = "add files under `namespace/` and `subscription/` in it";
            return Err(RenderError::new(place, "there is no such folder of templates", help));
        };
        let noted = format!("{shared}/");
        if let Some(digest) = self.templates.digest_of(&noted) {
            trace.template(&noted, digest);
        }
        let product = first.valid.package.spec.product.clone();
        let alone =
            context.subscriptions.iter().all(|one| one.valid.package.spec.product == product);
        let name = &context.valid.name;
        for file in &files.namespace {
            let part_of = if alone { product.as_str() } else { &shared };
            let origin = Origin {
                fence: self.fence,
                namespace: name,
                subscription: None,
                part_of,
                task: None,
            };
            self.template(file, &context.root, &origin)?;
        }
        for subscription in &context.subscriptions {
            let origin = Origin {
                fence: self.fence,
                namespace: name,
                subscription: Some(subscription.valid.name()),
                part_of: subscription.valid.package.spec.product.as_str(),
                task: None,
            };
            for file in &files.subscription {
                self.template(file, &subscription.root, &origin)?;
            }
            for (file, root) in &subscription.components {
                if let Some(digest) = self.templates.digest_of(file) {
                    trace.template(file, digest);
                }
                self.template(file, root, &origin)?;
            }
            for (task, root) in &subscription.tasks {
                let file = format!("{shared}/task/{}.yaml", task.spec.action.word());
                self.template(&file, root, &Origin { task: Some(task), ..origin })?;
            }
        }
        Ok(())
    }

    /// Renders one template and takes what it asks for.
    fn template(
        &mut self,
        name: &str,
        root: &Value,
        origin: &Origin<'_>,
    ) -> Result<(), RenderError> {
        let text = self.templates.text(name, root.clone())?;
        let place = |line: u32| {
            templates::place(
                name,
                lines::line_of_template(self.templates.source(name), &text, line),
            )
        };
        let documents = document::read(&text).map_err(|refusal| {
            let line = lines::text_of(&text, refusal.mark.line);
            let help = format!("this line became `{line}`; {}", refusal.help.unwrap_or_default());
            RenderError::new(place(refusal.mark.line), refusal.message, help)
        })?;
        for document in documents {
            let line = document.line;
            let resource = objects::resource(document.value, origin)
                .map_err(|unfit| RenderError::new(place(line), unfit.message, unfit.help))?;
            if self.resources.iter().any(|known| known.id == resource.id) {
                let message = format!("{} is rendered twice", resource.id);
                return Err(RenderError::new(
                    place(line),
                    message,
                    "give one of them another name",
                ));
            }
            self.resources.push(resource);
        }
        Ok(())
    }
}
