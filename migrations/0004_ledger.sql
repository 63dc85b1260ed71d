-- The ledger: double entry, append-only. What it promises holds for whoever writes here, also by
-- hand: every transaction balances per currency, nothing written changes, no wallet goes below zero.
--
-- An amount is credit minus debit, in minor units of its currency. So what we owe (a wallet) and
-- what we earn read positive; what we have (cash) and what we lose read negative. Money flows
-- from the account with the negative posting to the one with the positive.

create table account (
    id       bigint   primary key generated always as identity,
    kind     text     not null check (kind in (
        'customer_credit', 'hold', 'receivable', 'cash', 'gateway_fee', 'deferred_revenue', 'revenue',
        'tax_payable', 'promo', 'breakage', 'refund_clearing', 'chargeback_loss', 'fx')),
    -- A customer, a gateway, a subscription or a package; empty where there is one for all.
    owner    text     not null,
    currency char(3)  not null check (currency ~ '^[A-Z]{3}$'),
    -- The sum of its postings, kept by a trigger where it has a bound; the others are summed when
    -- asked for, so that nobody waits for the row of an account that everybody uses.
    balance  bigint   check (balance >= 0),
    unique (kind, owner, currency),
    unique (id, currency),
    check ((kind in ('customer_credit', 'hold', 'deferred_revenue')) = (balance is not null)),
    check ((kind in ('gateway_fee', 'tax_payable', 'promo', 'breakage', 'refund_clearing', 'chargeback_loss', 'fx')) = (owner = ''))
);

create table ledger_transaction (
    id          uuid        primary key,
    -- What makes it happen once, such as `renew:acme/school:2026-03-31`.
    op_key      text        not null unique check (length(op_key) between 1 and 200),
    -- The digest of what was asked for, by which a repetition is told from another wish.
    content     text        not null,
    reason      text        not null,
    -- Whose wallet it is about.
    customer    text,
    -- When it counts, by the books.
    booked_at   timestamptz not null,
    -- When it was written.
    created_at  timestamptz not null default now(),
    -- What it takes back, in whole or in part.
    reverses    uuid        references ledger_transaction,
    -- Who did it: `system`, or a user.
    actor       text        not null,
    -- What shows that it is right, such as the number of a bank transfer; and why, in words.
    evidence    text,
    note        text,
    -- The order, invoice or payment it belongs to.
    subject     text,
    -- The database transaction that wrote it: later ones add nothing to it.
    written_by  xid8        not null default pg_current_xact_id(),
    check ((reason = 'reversal') = (reverses is not null)),
    check (reason <> 'adjustment' or (evidence is not null and note is not null))
);
create index ledger_transaction_of_customer on ledger_transaction (customer, created_at desc, id desc);
create index ledger_transaction_by_reversed on ledger_transaction (reverses) where reverses is not null;

create table posting (
    transaction_id uuid    not null references ledger_transaction,
    account_id     bigint  not null,
    currency       char(3) not null,
    amount         bigint  not null check (amount <> 0),
    primary key (transaction_id, account_id),
    foreign key (account_id, currency) references account (id, currency)
);
create index posting_of_account on posting (account_id, transaction_id);

-- Which account a reason may touch, and in which direction: a balanced transaction can still be a
-- wrong one. Reversals follow their originals instead.
create table ledger_route (
    reason text not null,
    kind   text not null,
    flow   text not null check (flow in ('from', 'to')),
    primary key (reason, kind, flow)
);
insert into ledger_route (reason, kind, flow) values
    ('top_up', 'cash', 'from'), ('top_up', 'customer_credit', 'to'),
    ('gateway_fee', 'gateway_fee', 'from'), ('gateway_fee', 'cash', 'to'),
    ('hold', 'customer_credit', 'from'), ('hold', 'hold', 'to'),
    ('release', 'hold', 'from'), ('release', 'customer_credit', 'to'),
    ('charge', 'customer_credit', 'from'), ('charge', 'deferred_revenue', 'to'), ('charge', 'tax_payable', 'to'),
    ('credit', 'deferred_revenue', 'from'), ('credit', 'tax_payable', 'from'), ('credit', 'customer_credit', 'to'),
    ('recognition', 'deferred_revenue', 'from'), ('recognition', 'revenue', 'to'),
    ('tax_payment', 'tax_payable', 'from'), ('tax_payment', 'cash', 'to'),
    ('adjustment', 'promo', 'from'), ('adjustment', 'promo', 'to'),
    ('adjustment', 'customer_credit', 'from'), ('adjustment', 'customer_credit', 'to'),
    ('breakage', 'promo', 'from'), ('breakage', 'customer_credit', 'from'), ('breakage', 'breakage', 'to'),
    ('payout', 'customer_credit', 'from'), ('payout', 'cash', 'to'),
    ('chargeback', 'customer_credit', 'from'), ('chargeback', 'chargeback_loss', 'from'), ('chargeback', 'cash', 'to'),
    ('exchange', 'customer_credit', 'from'), ('exchange', 'customer_credit', 'to'),
    ('exchange', 'fx', 'from'), ('exchange', 'fx', 'to');

-- Periods that are closed: nothing is booked before the latest of these moments.
create table ledger_close (
    closed_until timestamptz primary key,
    actor        text        not null,
    created_at   timestamptz not null default now()
);

-- Money that is set aside for something that may still fail.
create table hold (
    id          uuid        primary key,
    op_key      text        not null unique,
    customer    text        not null,
    currency    char(3)     not null,
    amount      bigint      not null check (amount > 0),
    subject     text        not null,
    state       text        not null default 'pending' check (state in ('pending', 'captured', 'voided', 'expired')),
    -- What was taken of it; the rest went back.
    captured    bigint      not null default 0 check (captured between 0 and amount),
    created_at  timestamptz not null,
    expires_at  timestamptz not null,
    ended_at    timestamptz,
    why         text,
    check ((state = 'pending') = (ended_at is null)),
    check (state = 'captured' or captured = 0)
);
create index hold_of_customer on hold (customer, created_at desc);
create index hold_to_expire on hold (expires_at) where state = 'pending';

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'rows of % are written once: correct by a reversal', tg_table_name
        using errcode = 'restrict_violation';
end $$;

create trigger written_once before update or delete on ledger_transaction
    for each row execute function refuse_change();
create trigger written_once before update or delete on posting
    for each row execute function refuse_change();
create trigger written_once before update or delete on ledger_close
    for each row execute function refuse_change();
create trigger written_once before delete on account
    for each row execute function refuse_change();
create trigger written_once before delete on hold
    for each row execute function refuse_change();
create trigger not_emptied before truncate on ledger_transaction execute function refuse_change();
create trigger not_emptied before truncate on posting execute function refuse_change();
create trigger not_emptied before truncate on ledger_close execute function refuse_change();
create trigger not_emptied before truncate on account execute function refuse_change();
create trigger not_emptied before truncate on hold execute function refuse_change();

-- A cached balance moves with its postings and in no other way.
create function guard_account() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        new.balance := case when new.kind in ('customer_credit', 'hold', 'deferred_revenue') then 0 end;
        return new;
    end if;
    if pg_trigger_depth() < 2 or (new.id, new.kind, new.owner, new.currency) is distinct from (old.id, old.kind, old.owner, old.currency) then
        raise exception 'the balance of account % follows its postings: post a transaction', old.id
            using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger guarded before insert or update on account
    for each row execute function guard_account();

-- A hold ends once.
create function guard_hold() returns trigger language plpgsql as $$
begin
    if old.state <> 'pending' or new.state = 'pending'
        or (new.id, new.op_key, new.customer, new.currency, new.amount, new.subject, new.created_at, new.expires_at)
            is distinct from (old.id, old.op_key, old.customer, old.currency, old.amount, old.subject, old.created_at, old.expires_at) then
        raise exception 'hold % is % and cannot become %', old.id, old.state, new.state
            using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger guarded before update on hold for each row execute function guard_hold();

create function guard_transaction() returns trigger language plpgsql as $$
declare
    closed timestamptz;
    original ledger_transaction;
begin
    new.written_by := pg_current_xact_id();
    new.created_at := now();
    -- Whoever closes a period waits for those who are writing, and they for whoever closes.
    perform pg_advisory_xact_lock_shared(7236428201);
    select max(closed_until) into closed from ledger_close;
    if new.booked_at < closed then
        raise exception 'the books are closed until %: book it later', closed
            using errcode = 'check_violation', constraint = 'ledger_closed';
    end if;
    if new.reverses is not null then
        -- Two that take back the same wait for each other.
        select * into original from ledger_transaction where id = new.reverses for update;
        if original.reverses is not null then
            raise exception 'transaction % is a reversal itself: book anew what it took back', new.reverses
                using errcode = 'check_violation', constraint = 'ledger_reversal';
        end if;
    elsif not exists (select from ledger_route where reason = new.reason) then
        raise exception 'nothing may be booked for %', new.reason
            using errcode = 'check_violation', constraint = 'ledger_route';
    end if;
    return new;
end $$;
create trigger guarded before insert on ledger_transaction
    for each row execute function guard_transaction();

create function guard_close() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock(7236428201);
    if new.closed_until <= (select max(closed_until) from ledger_close) then
        raise exception 'the books are closed further already'
            using errcode = 'check_violation', constraint = 'ledger_closed';
    end if;
    return new;
end $$;
create trigger guarded before insert on ledger_close for each row execute function guard_close();

create function guard_posting() returns trigger language plpgsql as $$
declare
    owning ledger_transaction;
    touched account;
    original bigint;
    returned numeric;
begin
    select * into owning from ledger_transaction where id = new.transaction_id;
    if owning.written_by is distinct from pg_current_xact_id() then
        raise exception 'transaction % is written already: book another', new.transaction_id
            using errcode = 'restrict_violation';
    end if;
    select * into touched from account where id = new.account_id;
    if owning.reverses is null then
        if not exists (select from ledger_route where reason = owning.reason and kind = touched.kind
                and flow = case when new.amount < 0 then 'from' else 'to' end) then
            raise exception 'nothing flows % % for %', case when new.amount < 0 then 'from' else 'to' end, touched.kind, owning.reason
                using errcode = 'check_violation', constraint = 'ledger_route';
        end if;
    else
        select amount into original from posting
            where transaction_id = owning.reverses and account_id = new.account_id;
        select coalesce(sum(posting.amount), 0) + new.amount into returned
            from posting join ledger_transaction reversal on reversal.id = posting.transaction_id
            where reversal.reverses = owning.reverses and posting.account_id = new.account_id;
        if original is null or sign(original) = sign(new.amount) or abs(returned) > abs(original) then
            raise exception 'more is taken back from account % than transaction % put there', new.account_id, owning.reverses
                using errcode = 'check_violation', constraint = 'ledger_reversal';
        end if;
    end if;
    return new;
end $$;
create trigger guarded before insert on posting for each row execute function guard_posting();

create function move_balance() returns trigger language plpgsql as $$
begin
    update account set balance = balance + new.amount where id = new.account_id and balance is not null;
    return null;
end $$;
create trigger moves_balance after insert on posting for each row execute function move_balance();

-- At the end of the database's transaction, when all postings are there.
create function check_balanced() returns trigger language plpgsql as $$
declare
    id uuid := coalesce(to_jsonb(new) ->> 'transaction_id', to_jsonb(new) ->> 'id')::uuid;
    wrong record;
begin
    select count(*) as postings into wrong from posting where transaction_id = id;
    if wrong.postings < 2 then
        raise exception 'transaction % has % postings: it needs two at least', id, wrong.postings
            using errcode = 'check_violation', constraint = 'ledger_balanced';
    end if;
    select currency, sum(amount) as off into wrong from posting
        where transaction_id = id group by currency having sum(amount) <> 0 limit 1;
    if found then
        raise exception 'transaction % does not balance: % minor units of % are left', id, wrong.off, wrong.currency
            using errcode = 'check_violation', constraint = 'ledger_balanced';
    end if;
    return null;
end $$;
create constraint trigger balanced after insert on ledger_transaction
    deferrable initially deferred for each row execute function check_balanced();
create constraint trigger balanced after insert on posting
    deferrable initially deferred for each row execute function check_balanced();
