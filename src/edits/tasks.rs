//! Asks for things to be done once.

use std::sync::Arc;

use crate::model::Name;
use crate::model::Task;

use super::Draft;
use super::Refused;
use super::tenants;
use super::tenants::document;

/// Adds a task, in `tenants/<tenant>/<name>.yaml`. Its name is its own among all tasks.
pub fn add(draft: &mut Draft<'_>, name: &Name, task: &Task) -> Result<(), Refused> {
    tenants::existing(draft, &task.tenant)?;
    if let Some(subscription) = &task.subscription
        && draft.subscription(&task.tenant, subscription).is_none()
    {
        let name = format!("{}/{subscription}", task.tenant);
        return Err(Refused::Missing { kind: "subscription", name });
    }
    if let Some(there) = draft.task(name) {
        let file = Arc::clone(&there.origin.file);
        return Err(Refused::Taken { kind: "task", name: name.to_string(), file });
    }
    draft.add(&format!("tenants/{}/{name}.yaml", task.tenant), &document("Task", name, task))
}
