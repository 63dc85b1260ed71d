//! Asks for things to be done once.

use std::sync::Arc;

use crate::model::Name;
use crate::model::Task;
use crate::model::task::BACKUP;
use crate::model::task::is_backup_name;

use super::Draft;
use super::Refused;
use super::tenants;
use super::tenants::document;

/// Adds a task, in `tenants/<tenant>/<name>.yaml`. Its name is its own among all tasks.
pub fn add(draft: &mut Draft<'_>, name: &Name, task: &Task) -> Result<(), Refused> {
    tenants::existing(draft, &task.tenant)?;
    if draft.subscription(&task.tenant, &task.subscription).is_none() {
        let name = format!("{}/{}", task.tenant, task.subscription);
        return Err(Refused::Missing { kind: "subscription", name });
    }
    if let Some(backup) = task.with.get(BACKUP)
        && !is_backup_name(backup)
    {
        let why = format!(
            "`{backup}` is not the name of a backup: use letters, digits, `.`, `_` and `-`, as the \
             mail and the operation of the backup name it"
        );
        return Err(Refused::Because(why));
    }
    if let Some(there) = draft.task(name) {
        let file = Arc::clone(&there.origin.file);
        return Err(Refused::Taken { kind: "task", name: name.to_string(), file });
    }
    draft.add(&format!("tenants/{}/{name}.yaml", task.tenant), &document("Task", name, task))
}

/// Removes tasks of a tenant; those that are gone already are no loss.
pub fn remove(draft: &mut Draft<'_>, tenant: &Name, names: &[Name]) -> Result<(), Refused> {
    for name in names {
        if let Some(there) = draft.task(name).filter(|there| there.spec.tenant == *tenant) {
            draft.remove(&there.origin)?;
        }
    }
    Ok(())
}
