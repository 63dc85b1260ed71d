//! Server-side apply: who owns which fields, what an apply changes and removes, and which changes
//! of others' fields are conflicts.

use std::sync::Arc;

use serde_json::Value;

use crate::sandbox::fields::FieldSet;
use crate::sandbox::kinds::Kind;
use crate::sandbox::object::Operation;
use crate::sandbox::object::Owner;
use crate::sandbox::object::interned;
use crate::sandbox::object::now;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::typed;

/// Who is writing, and through which door.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    pub(crate) manager: String,
    pub(crate) api_version: String,
    /// Empty, `status` or `scale`.
    pub(crate) subresource: &'static str,
    pub(crate) force: bool,
}

struct Holding {
    owner: Owner,
    set: FieldSet,
}

impl Holding {
    fn is(&self, writer: &Writer, operation: Operation) -> bool {
        let owner = &self.owner;
        *owner.manager == *writer.manager
            && owner.operation == operation
            && *owner.subresource == *writer.subresource
            && (operation == Operation::Apply || *owner.api_version == *writer.api_version)
    }
}

fn holdings(managed: &[Owner]) -> Vec<Holding> {
    managed.iter().map(|owner| Holding { owner: owner.clone(), set: owner.set() }).collect()
}

fn written(holdings: Vec<Holding>) -> Vec<Owner> {
    let mut owners: Vec<Owner> = holdings
        .into_iter()
        .filter(|holding| !holding.set.is_empty())
        .map(|holding| Owner { fields: interned(&holding.set.to_json()), ..holding.owner })
        .collect();
    owners.sort_by(|left, right| {
        let order = |owner: &Owner| {
            (
                owner.operation,
                owner.time,
                owner.manager.clone(),
                owner.api_version.clone(),
                owner.subresource.clone(),
            )
        };
        order(left).cmp(&order(right))
    });
    owners
}

fn new_owner(writer: &Writer, operation: Operation) -> Owner {
    Owner {
        manager: interned(&writer.manager),
        operation,
        api_version: interned(&writer.api_version),
        subresource: interned(writer.subresource),
        time: now(),
        fields: Arc::from("{}"),
    }
}

const ALWAYS_THERE: [&[&str]; 11] = [
    &["f:metadata"],
    &["f:spec"],
    &["f:status"],
    &["f:spec", "f:strategy"],
    &["f:spec", "f:updateStrategy"],
    &["f:spec", "f:template"],
    &["f:spec", "f:template", "f:metadata"],
    &["f:spec", "f:template", "f:spec"],
    &["f:spec", "f:jobTemplate"],
    &["f:spec", "f:jobTemplate", "f:spec"],
    &["f:spec", "f:jobTemplate", "f:spec", "f:template"],
];

/// Fields that nobody owns, and those that this door does not open.
fn strip(kind: &Kind, writer: &Writer, set: &mut FieldSet) {
    for name in [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ] {
        set.remove_below(&["f:metadata", &format!("f:{name}")]);
    }
    set.remove_below(&["f:apiVersion"]);
    set.remove_below(&["f:kind"]);
    // Structures that are always there are nobody's.
    for path in ALWAYS_THERE {
        set.unmark(path);
    }
    if kind.has_status && writer.subresource.is_empty() {
        set.remove_below(&["f:status"]);
    }
    if writer.subresource == "status" {
        set.remove_below(&["f:spec"]);
    }
}

/// What a create, an update or a patch that is no apply does to ownership: the writer takes every
/// field that it changed. `old` and `new` are bodies; `old` is empty for a new object.
pub(crate) fn update(
    kind: &Kind,
    old: &Value,
    new: &Value,
    managed: &[Owner],
    writer: &Writer,
) -> Vec<Owner> {
    let comparison = typed::compare(&kind.schema, &kind.root, old, new);
    let mut taken = comparison.modified.union(&comparison.added);
    let mut holdings = holdings(managed);
    for holding in &mut holdings {
        holding.set = holding.set.difference(&taken).difference(&comparison.removed);
    }
    strip(kind, writer, &mut taken);
    if !taken.is_empty() {
        match holdings.iter_mut().find(|holding| holding.is(writer, Operation::Update)) {
            Some(own) => {
                own.set.add(&taken);
                own.owner.time = now();
            }
            None => {
                holdings.push(Holding { owner: new_owner(writer, Operation::Update), set: taken });
            }
        }
    }
    written(holdings)
}

/// The outcome of an apply, before defaults and admission.
pub(crate) struct Applied {
    pub(crate) body: Value,
    pub(crate) managed: Vec<Owner>,
}

/// Lays `config` over `live`, removes what the manager applied before and does not any more, and
/// moves ownership. Refuses to change fields of others unless forced.
pub(crate) fn apply(
    kind: &Kind,
    live: &Value,
    config: &Value,
    managed: &[Owner],
    writer: &Writer,
) -> Result<Applied, Refusal> {
    let (schema, root) = (&kind.schema, &kind.root);
    let mut holdings = holdings(managed);
    adopt_untracked(kind, live, writer, &mut holdings);

    let mut body = live.clone();
    typed::merge(schema, root, &mut body, config);

    let mut applied = typed::fields_of(schema, root, config);
    strip(kind, writer, &mut applied);
    let earlier = if let Some(own) =
        holdings.iter_mut().find(|holding| holding.is(writer, Operation::Apply))
    {
        own.owner.api_version = interned(&writer.api_version);
        Some(std::mem::replace(&mut own.set, applied.clone()))
    } else {
        holdings.push(Holding { owner: new_owner(writer, Operation::Apply), set: applied.clone() });
        None
    };
    if let Some(earlier) = earlier.filter(|earlier| *earlier != applied) {
        prune(kind, &mut body, &earlier, &holdings);
    }

    let comparison = typed::compare(schema, root, live, &body);
    let changed = comparison.modified.union(&comparison.added);
    let mut conflicts = Vec::new();
    for holding in holdings.iter_mut().filter(|holding| !holding.is(writer, Operation::Apply)) {
        let conflict = holding.set.intersection(&changed);
        if !conflict.is_empty() {
            let who = named(&holding.owner);
            conflicts.extend(conflict.paths().into_iter().map(|path| (who.clone(), path)));
            holding.set = holding.set.difference(&conflict);
        }
        holding.set = holding.set.difference(&comparison.removed);
    }
    if !conflicts.is_empty() && !writer.force {
        return Err(refuse(conflicts));
    }
    if let Some(own) = holdings.iter_mut().find(|holding| holding.is(writer, Operation::Apply)) {
        own.owner.time = now();
    }
    Ok(Applied { body, managed: written(holdings) })
}

/// Objects whose managed fields somebody cleared belong, until now, to `before-first-apply`.
fn adopt_untracked(kind: &Kind, live: &Value, writer: &Writer, holdings: &mut Vec<Holding>) {
    if !holdings.is_empty() || live.as_object().is_none_or(serde_json::Map::is_empty) {
        return;
    }
    let mut set = typed::fields_of(&kind.schema, &kind.root, live);
    let before =
        Writer { manager: "before-first-apply".to_owned(), force: false, ..writer.clone() };
    strip(kind, &before, &mut set);
    holdings.push(Holding { owner: new_owner(&before, Operation::Update), set });
}

/// Removes what was applied before, is not any more, and nobody else owns.
fn prune(kind: &Kind, body: &mut Value, earlier: &FieldSet, holdings: &[Holding]) {
    let (schema, root) = (&kind.schema, &kind.root);
    let named_parents = |set: &FieldSet| set.with_named_parents(schema, root);
    let without = |set: &FieldSet| {
        let mut pruned = body.clone();
        typed::remove(schema, root, &mut pruned, set);
        pruned
    };
    let earlier = named_parents(earlier);
    let merged_fields = named_parents(&typed::fields_of(schema, root, body));
    let owned =
        holdings.iter().fold(FieldSet::default(), |owned, holding| owned.union(&holding.set));

    // First as if nobody else owned anything, then what others own comes back, and last what the
    // manager never applied itself.
    let pruned = without(&earlier);
    let kept =
        named_parents(&typed::fields_of(schema, root, &pruned)).union(&named_parents(&owned));
    let pruned = without(&merged_fields.difference(&kept));
    let kept = named_parents(&typed::fields_of(schema, root, &pruned));
    *body = without(&merged_fields.difference(&kept).intersection(&earlier));
}

fn named(owner: &Owner) -> String {
    let mut who = format!("{:?}", &*owner.manager);
    if !owner.subresource.is_empty() {
        who = format!("{who} with subresource {:?}", &*owner.subresource);
    }
    if owner.operation == Operation::Update {
        who = format!("{who} using {}", owner.api_version);
    }
    who
}

fn refuse(mut conflicts: Vec<(String, String)>) -> Refusal {
    conflicts.sort_by(|left, right| left.0.cmp(&right.0));
    let message = if let [(who, path)] = &conflicts[..] {
        format!("Apply failed with 1 conflict: conflict with {who}: {path}")
    } else {
        let mut lines = Vec::new();
        let mut last = "";
        for (who, path) in &conflicts {
            if who != last {
                lines.push(format!("conflicts with {who}:"));
                last = who;
            }
            lines.push(format!("- {path}"));
        }
        format!("Apply failed with {} conflicts: {}", conflicts.len(), lines.join("\n"))
    };
    Refusal::apply_conflict(message, &conflicts)
}
