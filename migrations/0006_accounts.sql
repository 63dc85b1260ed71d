-- People, what lets them in, what they did, and what has to follow from it.
-- No secret stands here in the clear: of every token there is a SHA-256, of a password an Argon2id.
-- The one exception is the token inside a mail that is not sent yet (`outbox`).

create table user_account (
    id           uuid        primary key,
    -- As the person wrote it: mail goes there.
    email        text        not null check (length(email) between 3 and 254),
    -- In lower case: what makes it one address.
    email_key    text        not null unique check (email_key = lower(email_key)),
    name         text        not null,
    organisation text        not null,
    language     text        not null check (language in ('en', 'vi', 'id', 'ru')),
    password     text        not null check (password like '$argon2id$%'),
    role         text        not null check (role in ('customer', 'operator', 'admin')),
    -- Whose customer it is, by the name of the document `Tenant`.
    tenant       text,
    created_at   timestamptz not null,
    -- When the address was found to be theirs.
    verified_at  timestamptz,
    -- Whoever is disabled is let in no more; what they did stays.
    disabled_at  timestamptz,
    -- A customer is somebody's; whoever works for the operator is nobody's customer.
    check ((role = 'customer') = (tenant is not null))
);
create index user_account_of_tenant on user_account (tenant) where tenant is not null;
create index user_account_by_time on user_account (created_at, id);

-- A link in a mail that may be used once.
create table mail_token (
    hash       bytea       primary key check (length(hash) = 32),
    account_id uuid        not null references user_account on delete cascade,
    purpose    text        not null check (purpose in ('verify', 'reset')),
    created_at timestamptz not null,
    expires_at timestamptz not null check (expires_at > created_at),
    used_at    timestamptz
);
create index mail_token_of_account on mail_token (account_id, purpose);

-- A login on one device: the family of its refresh tokens.
create table session (
    id         uuid        primary key,
    account_id uuid        not null references user_account on delete cascade,
    created_at timestamptz not null,
    -- However often it is refreshed.
    expires_at timestamptz not null check (expires_at > created_at),
    ended_at   timestamptz,
    -- reuse: a refresh token came twice, so somebody else has it.
    ending     text        check (ending in ('logout', 'reuse', 'reset', 'changed')),
    check ((ended_at is null) = (ending is null))
);
create index session_of_account on session (account_id) where ended_at is null;

create table refresh_token (
    hash       bytea       primary key check (length(hash) = 32),
    session_id uuid        not null references session on delete cascade,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at    timestamptz
);
-- A session has one token that is good.
create unique index refresh_token_now on refresh_token (session_id) where used_at is null;

-- A token for a machine, with the rights of the account that made it, or fewer.
create table api_token (
    id           uuid        primary key,
    account_id   uuid        not null references user_account on delete cascade,
    name         text        not null,
    hash         bytea       not null unique check (length(hash) = 32),
    scopes       text[]      not null check (cardinality(scopes) > 0 and scopes <@ array['read', 'write']),
    created_at   timestamptz not null,
    expires_at   timestamptz not null check (expires_at > created_at),
    last_used_at timestamptz,
    revoked_at   timestamptz
);
create index api_token_of_account on api_token (account_id, created_at);

-- Lets a client's own server register itself, once.
create table deployment_token (
    id         uuid        primary key,
    hash       bytea       not null unique check (length(hash) = 32),
    tenant     text        not null,
    note       text        not null,
    created_by uuid        not null references user_account,
    created_at timestamptz not null,
    expires_at timestamptz not null check (expires_at > created_at),
    used_at    timestamptz,
    -- The host that used it.
    used_by    text,
    revoked_at timestamptz,
    check ((used_at is null) = (used_by is null))
);

-- Logins that failed of late, by whom they were tried for and by where from.
create table login_limit (
    -- `account <SHA-256 of the address>` or `from 192.0.2.1`.
    subject    text        primary key,
    failures   integer     not null check (failures >= 0),
    began_at   timestamptz not null
);
create index login_limit_by_time on login_limit (began_at);

-- What access tokens are signed with, where no file holds it. There is one.
create table signing_key (
    singleton  boolean     primary key default true check (singleton),
    -- Ed25519 in PKCS#8.
    private    bytea       not null,
    created_at timestamptz not null
);

-- Who did what, and what became of it. Written with the change it is about.
create table audit (
    id         uuid        primary key,
    at         timestamptz not null,
    -- None where nobody was logged in, and for the command line.
    account_id uuid,
    role       text        not null check (role in ('anonymous', 'customer', 'operator', 'admin', 'system')),
    tenant     text,
    -- Such as `auth.login`.
    action     text        not null,
    -- What it was done to, such as `account 01890a5d-…`.
    subject    text        not null,
    outcome    text        not null check (outcome in ('done', 'refused')),
    detail     jsonb       not null,
    request_id text        not null,
    -- Where the request came from.
    address    text
);
create index audit_by_time on audit (at desc, id desc);
create index audit_of_tenant on audit (tenant, at desc, id desc) where tenant is not null;

create function audit_is_for_ever() returns trigger language plpgsql as $$
begin
    raise exception 'what was written into audit stays as it is';
end
$$;
create trigger audit_is_for_ever before update or delete on audit
    for each row execute function audit_is_for_ever();
create trigger audit_is_not_emptied before truncate on audit
    for each statement execute function audit_is_for_ever();

-- What has to follow from a fact: written with the fact, carried out later, once in effect.
create table outbox (
    id          uuid        primary key,
    kind        text        not null check (kind in ('mail', 'commit')),
    -- The same fact asks for the same thing once, however often it is told.
    key         text        not null unique,
    -- Of a mail that is sent, what was secret is taken out.
    payload     jsonb       not null,
    created_at  timestamptz not null,
    -- Not before this time; each failure moves it on.
    due_at      timestamptz not null,
    attempts    integer     not null default 0 check (attempts >= 0),
    last_error  text,
    -- Somebody carries it out until then; afterwards somebody else may.
    leased_by   uuid,
    leased_until timestamptz,
    done_at     timestamptz,
    -- What came of it, such as the id of a commit.
    result      jsonb,
    -- Given up, for a person to look at.
    failed_at   timestamptz,
    check ((leased_by is null) = (leased_until is null)),
    check (done_at is null or failed_at is null)
);
create index outbox_due on outbox (kind, due_at) where done_at is null and failed_at is null;

-- Requests that may come twice, and what they were answered.
create table idempotency (
    -- Whose key it is: two people may choose the same.
    principal   text        not null,
    route       text        not null,
    key         text        not null check (length(key) between 1 and 255),
    -- SHA-256 of what was asked.
    fingerprint bytea       not null check (length(fingerprint) = 32),
    created_at  timestamptz not null,
    -- Until then it is being answered; afterwards whoever answered is gone.
    locked_until timestamptz not null,
    -- Empty while it is being answered.
    status      smallint    check (status between 200 and 499),
    headers     jsonb,
    body        bytea,
    primary key (principal, route, key),
    check ((status is null) = (headers is null) and (status is null) = (body is null))
);
create index idempotency_by_time on idempotency (created_at);
