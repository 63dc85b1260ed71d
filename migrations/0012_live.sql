-- Streams of events for browsers, whose `EventSource` cannot send a token in a header.

-- Opens one stream in the name of a session. It is gone once it was used.
create table event_ticket (
    hash       bytea       primary key check (length(hash) = 32),
    session_id uuid        not null references session on delete cascade,
    created_at timestamptz not null,
    expires_at timestamptz not null check (expires_at > created_at)
);
create index event_ticket_to_expire on event_ticket (expires_at);
