-- Background jobs: each once across all daemons, and what came of it.

create table job (
    name        text        primary key check (name ~ '^[a-z][a-z-]{0,39}$'),
    -- What it is for and how often it runs, in words, as whoever registered it last has them.
    purpose     text        not null,
    schedule    text        not null,
    due_at      timestamptz not null,
    -- Somebody runs it until then, and says so again and again; afterwards somebody else may.
    lease       uuid,
    leased_by   text,
    leased_until timestamptz,
    started_at  timestamptz,
    ended_at    timestamptz,
    -- What came of the last run that ended well.
    result      jsonb,
    -- Why the last run failed; empty where it did not.
    last_error  text,
    -- How often it has failed since it ended well.
    failed_in_a_row integer not null default 0 check (failed_in_a_row >= 0),
    runs        bigint      not null default 0 check (runs >= 0),
    failures    bigint      not null default 0 check (failures between 0 and runs),
    check ((lease is null) = (leased_by is null) and (lease is null) = (leased_until is null))
);

-- What was done in the life of a subscription, by the key of the effect: each once.
create table lifecycle_effect (
    key          text        primary key check (length(key) between 1 and 200),
    subscription text        not null,
    -- What it was, as it was decided.
    effect       jsonb       not null,
    -- The change of the document that it is, where it is one. One that failed may be followed by
    -- another, because what is still due then is still to be done.
    operation_id uuid        unique references operation,
    attempts     integer     not null default 1 check (attempts > 0),
    at           timestamptz not null
);
create index lifecycle_effect_of_subscription on lifecycle_effect (subscription, at desc);
