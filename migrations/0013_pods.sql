-- How the pods of subscriptions stand, as the watches of clusters told last.

create table pod (
    -- As the cluster made it: random, so that nobody guesses another's.
    id           uuid        primary key,
    cluster      text        not null,
    tenant       text        not null,
    subscription text        not null,
    name         text        not null,
    -- What is known of it, as the program writes it.
    status       jsonb       not null,
    -- When that last changed.
    changed_at   timestamptz not null
);
create index pod_of_subscription on pod (tenant, subscription, name, id);
create index pod_of_cluster on pod (cluster);
