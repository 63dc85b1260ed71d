-- The findings that stand: of the commit that is converged to, and of each cluster as it answers.
create table finding (
    -- `commit`, or such as `cluster main`.
    origin   text        not null,
    position integer     not null,
    rule     text        not null,
    severity text        not null check (severity in ('error', 'warning')),
    -- Its place, such as `clusters/main.yaml:7:3`.
    place    text        not null,
    message  text        not null,
    help     text,
    seen_at  timestamptz not null,
    primary key (origin, position)
);
