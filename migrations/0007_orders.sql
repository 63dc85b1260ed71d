-- Orders, and the changes that they and others become: money set aside, a commit, and what history
-- says became of it.

-- What a customer asked to buy. The ledger has its money, the operation of the same id its change.
create table customer_order (
    id           uuid        primary key,
    -- Whose, by the name of the tenant, and by whom.
    customer     text        not null,
    account_id   uuid        not null references user_account,
    purpose      text        not null check (purpose in ('order', 'renewal', 'change')),
    -- The name of the subscription within the tenant.
    subscription text        not null,
    -- What is to be committed, how that is undone where it fails, and for whom.
    intent       jsonb       not null,
    -- What is sold: lines, taxes, days, seller, buyer, and the rules by which it ends.
    sale         jsonb       not null,
    currency     char(3)     not null,
    total        bigint      not null check (total >= 0),
    state        text        not null check (state in ('awaiting_payment', 'paid', 'fulfilled', 'failed', 'cancelled', 'expired')),
    hold_id      uuid        references hold,
    invoice_id   uuid        references invoice,
    created_at   timestamptz not null,
    -- Until then it can be paid.
    expires_at   timestamptz not null,
    paid_at      timestamptz,
    ended_at     timestamptz,
    why          text,
    check ((state in ('awaiting_payment', 'paid')) = (ended_at is null)),
    check (state <> 'awaiting_payment' or paid_at is null)
);
-- Whoever changes what a subscription costs waits for the change before: each is reckoned from it.
create unique index customer_order_at_once on customer_order (customer, subscription)
    where state in ('awaiting_payment', 'paid');
create index customer_order_of_customer on customer_order (customer, created_at desc, id desc);
create index customer_order_by_time on customer_order (created_at desc, id desc);
create index customer_order_to_expire on customer_order (expires_at) where state = 'awaiting_payment';

-- One accepted change: from the request to what became of it.
create table operation (
    -- The intent of its commit; of an order's, the id of the order.
    id           uuid        primary key,
    kind         text        not null,
    tenant       text        not null,
    subscription text,
    account_id   uuid        references user_account,
    role         text        not null check (role in ('customer', 'operator', 'admin', 'system')),
    -- Who the commit is by.
    author       text        not null,
    email        text        not null,
    request_id   text        not null,
    change       jsonb       not null,
    -- What takes it back where it fails after its commit.
    undo         jsonb,
    -- What follows where it succeeds.
    follow_up    jsonb,
    order_id     uuid        unique references customer_order,
    -- The operation that this one takes back, or follows.
    cause_id     uuid        unique references operation,
    state        text        not null check (state in ('accepted', 'committed', 'observed', 'applying', 'verifying', 'succeeded', 'failed', 'superseded', 'cancelled')),
    -- Why it stands where it stands, in words for whoever asked.
    message      text,
    commit_id    text,
    created_at   timestamptz not null,
    -- Not committed before this time.
    due_at       timestamptz not null,
    updated_at   timestamptz not null,
    committed_at timestamptz,
    -- Since when something keeps it from going on.
    stuck_since  timestamptz,
    ended_at     timestamptz,
    check ((state in ('succeeded', 'failed', 'superseded', 'cancelled')) = (ended_at is not null)),
    check (order_id is null or order_id = id)
);
create index operation_of_tenant on operation (tenant, created_at desc, id desc);
create index operation_by_time on operation (created_at desc, id desc);
create index operation_under_way on operation (tenant, subscription) where ended_at is null;

-- Every state that an operation came into. Of one operation the sequence rises in the order in
-- which it happened: its row is locked meanwhile. It can be read on from any number.
create table operation_event (
    sequence     bigint      primary key generated always as identity,
    operation_id uuid        not null references operation,
    state        text        not null,
    message      text,
    at           timestamptz not null
);
create index operation_event_of_operation on operation_event (operation_id, sequence);

-- The commit of which all was handed on that it asks for: the status of every unit that it concerns
-- says so by then, and what still stands under an older commit is not concerned by it.
create table wanted_commit (
    singleton  boolean     primary key default true check (singleton),
    commit_id  text        not null,
    at         timestamptz not null
);
