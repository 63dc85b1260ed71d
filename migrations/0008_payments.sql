-- Money that comes in: what was asked for, what providers said about it, and what went back.

create table payment (
    id           uuid        primary key,
    -- Whose wallet it fills, by the name of the document `Tenant`.
    customer     text        not null,
    provider     text        not null check (provider in ('midtrans', 'stripe', 'vnpay', 'momo', 'manual', 'dummy')),
    currency     char(3)     not null,
    amount       bigint      not null check (amount > 0),
    -- The order that waits for it; empty for a top-up.
    order_id     uuid,
    state        text        not null default 'new' check (state in ('new', 'pending', 'paid', 'failed', 'expired')),
    -- How far the provider has said it to be; it never falls.
    rank         smallint    not null default 0,
    -- Whether the money came when it was not waited for any more.
    late         boolean     not null default false,
    -- What the provider was told to send the customer back to, and where the customer pays.
    return_url   text,
    redirect_url text,
    -- By what the provider knows it: the session, and later the transaction.
    session      text,
    transaction  text,
    -- What of it went back, as the provider said: by refunds, and taken by banks.
    refunded     bigint      not null default 0 check (refunded >= 0),
    disputed     bigint      not null default 0 check (disputed >= 0),
    created_at   timestamptz not null,
    -- When the provider stops to take it, and when we stop to wait for it.
    payable_until timestamptz not null,
    expires_at   timestamptz not null check (expires_at >= payable_until),
    paid_at      timestamptz,
    -- Why it failed.
    why          text,
    -- When the provider is asked next, and how often it was.
    ask_at       timestamptz,
    asked        integer     not null default 0,
    -- Of a payment that a person recorded: who, what shows it, and who approved it.
    recorded_by  uuid,
    evidence     text,
    note         text,
    approved_by  uuid,
    check ((state = 'paid') = (paid_at is not null)),
    check (state <> 'paid' or recorded_by is null or evidence is not null),
    check (approved_by <> recorded_by)
);
create index payment_of_customer on payment (customer, created_at desc, id desc);
create index payment_to_ask on payment (ask_at) where ask_at is not null;
create index payment_in_flight on payment (customer) where state in ('new', 'pending');
create index payment_by_transaction on payment (provider, transaction) where transaction is not null;
-- A receipt shows one payment.
create unique index payment_by_evidence on payment (evidence) where provider = 'manual' and state <> 'failed';

-- What providers send, as they sent it: each event once.
create table payment_inbox (
    id          uuid        primary key,
    provider    text        not null,
    -- What makes it one event, by the provider's own rules.
    event_key   text        not null,
    -- The body, or of a GET the query, and the headers that matter.
    raw         bytea       not null,
    headers     jsonb       not null,
    received_at timestamptz not null,
    due_at      timestamptz not null,
    attempts    integer     not null default 0,
    last_error  text,
    -- Somebody works at it until then; afterwards somebody else may.
    leased_by   uuid,
    leased_until timestamptz,
    -- What came of it: applied, nothing new, not for us, or refused; and why.
    verdict     text        check (verdict in ('applied', 'known', 'ignored', 'refused')),
    why         text,
    payment_id  uuid        references payment,
    done_at     timestamptz,
    unique (provider, event_key),
    check ((leased_by is null) = (leased_until is null)),
    check ((verdict is null) = (done_at is null))
);
create index payment_inbox_due on payment_inbox (due_at) where done_at is null;
create index payment_inbox_by_time on payment_inbox (received_at);

-- What is sent back on our own wish. Until it is known what became of it, a hold keeps the money.
create table payment_refund (
    id          uuid        primary key,
    payment_id  uuid        not null references payment,
    amount      bigint      not null check (amount > 0),
    reason      text        not null,
    evidence    text,
    asked_by    uuid        not null,
    state       text        not null default 'asked' check (state in ('asked', 'done', 'refused')),
    hold_id     uuid        not null,
    why         text,
    created_at  timestamptz not null,
    due_at      timestamptz not null,
    attempts    integer     not null default 0,
    ended_at    timestamptz,
    check ((state = 'asked') = (ended_at is null))
);
create index payment_refund_of_payment on payment_refund (payment_id, created_at);
create index payment_refund_due on payment_refund (due_at) where state = 'asked';

-- A payment that is there lets an order go on.
alter table outbox drop constraint outbox_kind_check;
alter table outbox add constraint outbox_kind_check check (kind in ('mail', 'commit', 'paid'));
