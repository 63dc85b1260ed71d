-- Alerts: what is wrong for longer than it may be, told to operators once, and kept.

-- What was seen of clusters, one row for each thing that is looked at. `cluster_survey` is that of
-- yesterday's daemon, for nodes alone; nothing reads it any more.
create table cluster_look (
    -- By the name of its document.
    cluster  text        not null,
    what     text        not null check (what in ('nodes', 'disks', 'certificates', 'backups')),
    -- A list, as the program writes it.
    seen     jsonb       not null,
    -- When it was seen; empty where it never was.
    seen_at  timestamptz,
    tried_at timestamptz not null,
    -- Why it could not be seen the last time.
    trouble  text,
    primary key (cluster, what)
);

-- Something that is wrong, or was: from when it was first seen to when it was well again.
create table alert (
    id        uuid        primary key,
    kind      text        not null check (kind in ('node-down', 'restarts', 'usage', 'downtime', 'backup-failed', 'certificate', 'disk')),
    -- What it is about, such as `saigon.node-1` or `acme/school`.
    subject   text        not null check (length(subject) between 1 and 1000),
    -- Where that is, if it is in a cluster.
    cluster   text,
    -- How it is, in a sentence; that of the last look while it stands.
    what      text        not null,
    -- When it was first seen, and last.
    since     timestamptz not null,
    seen_at   timestamptz not null,
    -- When it had lasted long enough to be told; empty before.
    opened_at timestamptz,
    -- Since when it is well again; empty where it is not.
    eased_at  timestamptz,
    -- When it had been well for long enough.
    closed_at timestamptz,
    check (closed_at is null or (opened_at is not null and eased_at is not null))
);
-- Of one thing one alert stands at a time.
create unique index alert_standing on alert (kind, subject) where closed_at is null;
create index alert_by_time on alert (opened_at desc, id desc) where opened_at is not null;

-- How often containers were started again: each count once, with when it was first seen.
create table restart_seen (
    pod       uuid        not null,
    container text        not null,
    restarts  integer     not null check (restarts >= 0),
    at        timestamptz not null,
    primary key (pod, container, restarts)
);

-- The last backup of each subscription.
create index operation_task_by_end on operation (tenant, subscription, ended_at desc)
    where kind = 'task' and ended_at is not null;
