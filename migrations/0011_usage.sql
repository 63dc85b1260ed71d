-- What subscriptions use: samples, and what they come to by hour and by day.

-- How much one subscription used in one slot of time: each slot once, however often it is measured.
create table usage_sample (
    tenant       text        not null,
    subscription text        not null,
    -- cpu in thousandths of a core; memory and storage in MiB.
    measure      text        not null check (measure in ('cpu', 'memory', 'storage')),
    -- When the slot begins.
    at           timestamptz not null,
    -- How long it is.
    seconds      integer     not null check (seconds > 0),
    -- Bounded, so that no sum of a day leaves its column.
    value        bigint      not null check (value between 0 and 1099511627776),
    -- Whether it is in the sums of its hour and its day.
    rolled       boolean     not null default false,
    primary key (tenant, subscription, measure, at)
);
create index usage_sample_to_roll on usage_sample (at) where not rolled;
create index usage_sample_by_time on usage_sample (at);

create table usage_hour (
    tenant       text        not null,
    subscription text        not null,
    measure      text        not null check (measure in ('cpu', 'memory', 'storage')),
    -- When the hour begins, in UTC.
    hour         timestamptz not null,
    -- How much of it was measured.
    seconds      bigint      not null check (seconds > 0),
    -- Values times the seconds that each stood for.
    total        bigint      not null check (total >= 0),
    maximum      bigint      not null check (maximum >= 0),
    primary key (tenant, subscription, measure, hour)
);
create index usage_hour_by_time on usage_hour (hour);

create table usage_day (
    tenant       text   not null,
    subscription text   not null,
    measure      text   not null check (measure in ('cpu', 'memory', 'storage')),
    -- In the platform's zone as it was when the samples were rolled up.
    day          date   not null,
    seconds      bigint not null check (seconds > 0),
    total        bigint not null check (total >= 0),
    maximum      bigint not null check (maximum >= 0),
    primary key (tenant, subscription, measure, day)
);
create index usage_day_by_time on usage_day (day);

-- Where subscriptions stand that come near to a limit or have reached it; no row for the others.
create table usage_standing (
    tenant       text        not null,
    subscription text        not null,
    measure      text        not null check (measure in ('cpu', 'memory', 'storage')),
    state        text        not null check (state in ('near', 'reached')),
    -- When it came there; who is told is told of this.
    since        timestamptz not null,
    primary key (tenant, subscription, measure)
);
