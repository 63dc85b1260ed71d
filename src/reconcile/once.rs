//! Tells what becomes of things to do once: each change of it, and why one failed.

use std::sync::Arc;

use jiff::Timestamp;

use super::Reconciler;
use super::note::Note;
use super::unit::Key;
use super::unit::Look;
use super::world::Target;
use crate::history::record::TaskState;
use crate::plan::once::Standing;

impl<T: Target> Reconciler<T> {
    /// Tells of the tasks that have begun or ended since the last look. After a start, all of them
    /// are told: history knows which it has heard of.
    pub(super) fn tell_tasks(&mut self, key: &Key, look: &Look, now: Timestamp) {
        let Some(cluster) = self.clusters.get(&key.cluster) else { return };
        let target = Arc::clone(&cluster.target);
        let Some(unit) = self.units.get_mut(key) else { return };
        let known = std::mem::take(&mut unit.tasks);
        for (outline, standing) in &look.tasks {
            let Some(once) = &outline.task else { continue };
            let task = once.task.clone();
            unit.tasks.insert(task.clone(), standing.clone());
            if known.get(&task) == Some(standing) {
                continue;
            }
            let (unit, notes) = (key.unit.clone(), self.notes.clone());
            let tell = move |state, message| {
                let _ = notes.send(Note::Task { unit, task, state, message, at: now });
            };
            match standing {
                Standing::Waits | Standing::Late => {}
                Standing::Runs => tell(TaskState::Running, None),
                Standing::Done => {
                    tell(TaskState::Done, once.result.as_deref().map(str::to_owned));
                }
                Standing::Lost => {
                    let why = "its Job was deleted before anybody saw how it ended";
                    tell(TaskState::Failed, Some(why.to_owned()));
                }
                Standing::Failed(why) => {
                    // Told once, with the last words of what failed: they are asked for beside
                    // everything else. Whoever stops meanwhile asks again after the next start.
                    let (target, id, why) = (Arc::clone(&target), outline.id.clone(), why.clone());
                    tokio::spawn(async move {
                        let told = target.explain(&id).await.unwrap_or(why);
                        tell(TaskState::Failed, Some(told));
                    });
                }
            }
        }
    }
}
