//! Tasks that are over: their documents are taken out of the repository after a while, by a commit
//! for each tenant. What became of them stays in history.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::Ground;
use super::Job;
use super::JobError;
use super::Report;
use super::Schedule;
use super::own;
use crate::billing::calendar::day_of;
use crate::model::Name;
use crate::model::task::BEGINS_WITHIN;
use crate::model::task::RUNS_FOR;
use crate::operations::Change;

/// How long after it was asked for the document of a task is left where it is, for people to see.
const SHOWN: SignedDuration = SignedDuration::from_hours(7 * 24);
// Nothing is taken away that could still begin or run.
const _: () = assert!(SHOWN.as_secs() > BEGINS_WITHIN.as_secs() + RUNS_FOR.as_secs());

pub(super) fn jobs() -> Vec<Job> {
    let job = Job::new(
        "clear-tasks",
        "Take tasks out of the repository that were over long ago",
        Schedule::Every(SignedDuration::from_hours(6)),
        clear,
    );
    vec![job.with_documents()]
}

async fn clear(ground: Ground) -> Result<Report, JobError> {
    let configuration = &ground.documents()?.configuration;
    let mut over: BTreeMap<&Name, Vec<Name>> = BTreeMap::new();
    for task in configuration.tasks.values() {
        if ground.now.duration_since(task.spec.asked) > SHOWN {
            over.entry(&task.spec.tenant).or_default().push(task.name.clone());
        }
    }
    // One commit that fails is tried again the next day.
    let day = day_of(ground.now, &ground.zone()).to_string();
    let mut many = 0;
    for (tenant, tasks) in over {
        many += tasks.len();
        let names = tasks.iter().map(Name::as_str);
        let parts: Vec<&str> =
            ["clear-tasks", &day, tenant.as_str()].into_iter().chain(names).collect();
        let id = own::id_of(&parts);
        let mut transaction = ground.accounts.begin().await?;
        let what = (tenant, Change::Clear { tasks });
        own::accept(&mut transaction, configuration, what, (id, "clear-tasks"), ground.now).await?;
        transaction.commit().await?;
    }
    Ok(Report::of(match many {
        0 => "nothing is over".to_owned(),
        1 => "1 task is over".to_owned(),
        many => format!("{many} tasks are over"),
    }))
}
