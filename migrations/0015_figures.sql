-- What operators look at: the nodes of every cluster, as they were last seen.

create table cluster_survey (
    -- By the name of its document.
    cluster  text        primary key,
    -- The nodes with what they can give, what is asked of them and what they say of themselves.
    nodes    jsonb       not null,
    -- When they were seen; empty where they never were.
    seen_at  timestamptz,
    tried_at timestamptz not null,
    -- Why they could not be seen the last time.
    trouble  text
);

-- What figures of the past are reckoned from, by when it ended.
create index operation_by_end on operation (ended_at) where ended_at is not null;
