-- What happened. Git says what was wanted and by whom; these tables say what was done about it.
-- Nothing here decides anything: losing all of it loses history, never control.
--
-- Facts have an id that was made where they happened (uuid v7), so that writing one twice, after a
-- connection broke at the wrong moment, changes nothing.

-- A commit that was seen at the head of the branch.
create table commit_seen (
    id           text        primary key,
    author       text        not null,
    email        text        not null,
    subject      text        not null,
    written_at   timestamptz not null,
    seen_at      timestamptz not null,
    -- taken: everything converges to it. refused: it does not come after what was taken before.
    verdict      text        not null check (verdict in ('taken', 'refused')),
    -- The commit that it would have to come after.
    refused_from text,
    judged_at    timestamptz not null
);
create index commit_seen_by_time on commit_seen (seen_at desc);

-- One attempt to bring a unit to what a commit asks for.
create table run (
    id          uuid        primary key,
    -- `acme` for a tenant, `host/kkt-1` for a host.
    unit        text        not null,
    commit_id   text        not null,
    cause       text        not null check (cause in ('commit', 'drift', 'clock', 'verification', 'retry')),
    started_at  timestamptz not null,
    finished_at timestamptz not null,
    result      text        not null check (result in ('converged', 'waiting', 'failed', 'superseded')),
    -- Why it is not converged.
    message     text
);
create index run_of_unit on run (unit, started_at desc);
create index run_by_time on run (started_at desc);

-- What became of one thing that a run had to do.
create table action (
    run_id      uuid    not null references run on delete cascade,
    position    integer not null,
    -- `group/kind/namespace/name`, as inventories write it.
    resource    text    not null,
    verb        text    not null,
    outcome     text    not null check (outcome in ('created', 'changed', 'unchanged', 'deleted', 'orphaned', 'failed')),
    -- Why it failed; or what had drifted.
    message     text,
    duration_us bigint  not null,
    primary key (run_id, position)
);
create index action_of_resource on action (resource);

-- A stage of opening an instance that came into another state. The timeline of a subscription.
create table stage_change (
    id           uuid        primary key,
    unit         text        not null,
    -- Empty for what the subscriptions of a tenant share.
    subscription text        not null,
    stage        text        not null,
    state        text        not null,
    reason       text,
    changed_at   timestamptz not null
);
create index stage_change_of_unit on stage_change (unit, subscription, stage, changed_at desc, id desc);

-- A subscription that came into another phase of its life.
create table phase_change (
    id           uuid        primary key,
    unit         text        not null,
    subscription text        not null,
    phase        text        not null,
    changed_at   timestamptz not null
);
create index phase_change_of_unit on phase_change (unit, subscription, changed_at desc, id desc);

-- Something of ours that somebody else changed or deleted.
create table drift (
    id          uuid        primary key,
    unit        text        not null,
    resource    text        not null,
    -- What differs, in words; secrets are masked before it comes here.
    what        text        not null,
    -- The other field manager, where it is known.
    by          text,
    found_at    timestamptz not null,
    -- Empty while it is not put back.
    put_back_at timestamptz
);
create index drift_of_unit on drift (unit, found_at desc);
create index drift_by_time on drift (found_at desc);

-- Deletions over the limit, which wait for a commit that names their digest.
create table parked (
    id       uuid        primary key,
    digest   text        not null,
    units    text[]      not null,
    -- What would be deleted, as `group/kind/namespace/name`.
    ids      text[]      not null,
    reason   text        not null,
    since    timestamptz not null,
    ended_at timestamptz,
    -- approved: a commit let them go. withdrawn: they are not wanted any more.
    ending   text        check (ending in ('approved', 'withdrawn')),
    check ((ended_at is null) = (ending is null))
);
-- The same deletions are parked once at a time, however often the daemon starts.
create unique index parked_now on parked (digest) where ended_at is null;

-- How each unit stands now. One row per unit; it goes when the unit is gone.
create table unit_status (
    unit       text        primary key,
    state      text        not null check (state in ('converged', 'applying', 'waiting', 'degraded', 'held', 'parked')),
    -- The commit that the state is about.
    commit_id  text,
    -- Since when it is in this state.
    since      timestamptz not null,
    reason     text,
    next_try   timestamptz,
    updated_at timestamptz not null
);
create index unit_status_by_state on unit_status (state);

-- What the daemon depends on: `source`, `cluster/main`, `database/main`.
create table reach (
    name       text        primary key,
    state      text        not null check (state in ('reachable', 'unreachable')),
    since      timestamptz not null,
    why        text,
    updated_at timestamptz not null
);

-- A daemon that writes here.
create table daemon (
    id         uuid        primary key,
    version    text        not null,
    started_at timestamptz not null,
    -- When it was last known to be alive; it says so every minute.
    seen_at    timestamptz not null,
    -- Empty while it runs, and where it could not say goodbye.
    stopped_at timestamptz
);

-- A time of which history is incomplete, because this database was away for longer than memory lasts.
create table gap (
    id       uuid        primary key,
    began_at timestamptz not null,
    ended_at timestamptz not null,
    -- How many facts of each kind were dropped, such as {"run": 12}.
    dropped  jsonb       not null
);
