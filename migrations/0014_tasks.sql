-- What became of things to do once. The Job in the cluster and the inventory beside it say whether
-- one was begun; this says how it ended, also when both are gone.

create table task_outcome (
    -- `acme` for a tenant.
    unit     text        not null,
    -- The name of the task, which no other has.
    task     text        not null,
    state    text        not null check (state in ('running', 'done', 'failed')),
    -- Of one that is done, what it left behind, such as the name of a backup; of one that failed, why.
    message  text,
    began_at timestamptz not null,
    -- Empty while it runs.
    ended_at timestamptz,
    primary key (unit, task),
    check ((state = 'running') = (ended_at is null))
);
create index task_outcome_by_time on task_outcome (ended_at);
