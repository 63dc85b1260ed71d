-- Invoices and the terms they sell. A draft may change; a final invoice is what the customer has in
-- hand: it is never changed and never deleted, and what is wrong with it is undone by a credit note.

-- The last number that an issuer gave. The row's lock is the queue: whoever finalises waits for the
-- one before, and a number that is given in a transaction that fails was never given.
create table invoice_counter (
    issuer text   primary key check (issuer ~ '^[A-Z0-9]{1,12}$'),
    last   bigint not null default 0
);

create table invoice (
    id           uuid        primary key,
    -- By which it is made once, such as `invoice:acme/school:2026-03-31`.
    op_key       text        not null unique,
    issuer       text        not null references invoice_counter,
    -- Empty while it is a draft. Invoices and credit notes of an issuer share one sequence.
    number       bigint,
    kind         text        not null check (kind in ('invoice', 'credit_note')),
    -- The invoice that a credit note undoes.
    corrects     uuid        references invoice,
    customer     text        not null,
    -- As `acme/school`; empty where it is about none.
    subscription text,
    currency     char(3)     not null,
    -- Names and addresses as they were.
    seller       jsonb       not null,
    buyer        jsonb       not null,
    -- Where taxes are rounded: on each line, or on the total.
    rounding     text        not null check (rounding in ('line', 'total')),
    -- What the lines sell: from a day up to, and without, another.
    period_start date,
    period_end   date,
    net          bigint      not null default 0,
    tax          bigint      not null default 0,
    total        bigint      not null default 0,
    created_at   timestamptz not null,
    issued_at    timestamptz,
    due_at       timestamptz,
    -- When it was known to have reached the customer.
    delivered_at timestamptz,
    paid_at      timestamptz,
    -- What paid it.
    paid_by      uuid        references ledger_transaction,
    unique (issuer, number),
    check ((number is null) = (issued_at is null)),
    check (number is not null or (paid_at is null and delivered_at is null)),
    check ((kind = 'credit_note') = (corrects is not null)),
    check ((period_start is null) = (period_end is null) and period_start < period_end)
);
create index invoice_of_customer on invoice (customer, created_at desc, id desc);
create index invoice_of_subscription on invoice (subscription, period_start) where subscription is not null;
-- An invoice is undone once.
create unique index invoice_corrected on invoice (corrects);

create table invoice_line (
    invoice_id  uuid    not null references invoice on delete cascade,
    position    integer not null check (position > 0),
    text        text    not null,
    quantity    bigint  not null,
    unit        bigint  not null,
    -- The part of a period that is charged; empty for whole ones.
    days        integer,
    days_whole  integer,
    -- Net of taxes.
    amount      bigint  not null,
    primary key (invoice_id, position),
    check ((days is null) = (days_whole is null))
);

create table invoice_tax (
    invoice_id uuid    not null references invoice on delete cascade,
    position   integer not null check (position > 0),
    name       text    not null,
    -- In millionths: 82500 is 8.25 %.
    rate       integer not null check (rate between 0 and 1000000),
    net        bigint  not null,
    amount     bigint  not null,
    primary key (invoice_id, position)
);

create function guard_counter() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' and new.last = 0 then return new; end if;
    if tg_op = 'UPDATE' and pg_trigger_depth() > 1 and new.issuer = old.issuer and new.last = old.last + 1 then return new; end if;
    raise exception 'numbers of % follow each other: finalise an invoice to take the next', coalesce(new.issuer, old.issuer)
        using errcode = 'restrict_violation';
end $$;
create trigger guarded before insert or update or delete on invoice_counter
    for each row execute function guard_counter();

create function guard_invoice() returns trigger language plpgsql as $$
declare
    sums record;
    original invoice;
begin
    if tg_op = 'INSERT' then
        if new.issued_at is not null or new.number is not null then
            raise exception 'an invoice begins as a draft' using errcode = 'restrict_violation';
        end if;
        return new;
    end if;
    if tg_op = 'DELETE' then
        if old.number is null then return old; end if;
        raise exception 'invoice % of % is final: undo it by a credit note', old.number, old.issuer
            using errcode = 'restrict_violation', constraint = 'invoice_final';
    end if;
    if old.number is not null then
        -- Only what happens to it afterwards, and that once.
        if (to_jsonb(new) - '{delivered_at,paid_at,paid_by}'::text[]) <> (to_jsonb(old) - '{delivered_at,paid_at,paid_by}'::text[])
            or (old.delivered_at is not null and new.delivered_at is distinct from old.delivered_at)
            or (old.paid_at is not null and (new.paid_at, new.paid_by) is distinct from (old.paid_at, old.paid_by)) then
            raise exception 'invoice % of % is final: undo it by a credit note', old.number, old.issuer
                using errcode = 'restrict_violation', constraint = 'invoice_final';
        end if;
        return new;
    end if;
    if new.number is not null then
        raise exception 'the number of an invoice is given by its issuer''s counter' using errcode = 'restrict_violation';
    end if;
    if new.issued_at is null then return new; end if;
    -- It becomes final.
    select count(*) as lines, coalesce(sum(amount), 0) as net into sums from invoice_line where invoice_id = new.id;
    if sums.lines = 0 or sums.net <> new.net
        or (select coalesce(sum(amount), 0) from invoice_tax where invoice_id = new.id) <> new.tax
        or new.net + new.tax <> new.total then
        raise exception 'the lines and taxes of invoice % are not its totals', new.id
            using errcode = 'check_violation', constraint = 'invoice_totals';
    end if;
    if new.corrects is not null then
        select * into original from invoice where id = new.corrects for update;
        if original.number is null or original.kind <> 'invoice' or original.total <> -new.total or original.currency <> new.currency then
            raise exception 'a credit note undoes a final invoice as a whole'
                using errcode = 'check_violation', constraint = 'invoice_corrects';
        end if;
    end if;
    update invoice_counter set last = last + 1 where issuer = new.issuer returning last into new.number;
    return new;
end $$;
create trigger guarded before insert or update or delete on invoice
    for each row execute function guard_invoice();

create function guard_invoice_part() returns trigger language plpgsql as $$
declare
    whose uuid := case when tg_op = 'INSERT' then new.invoice_id else old.invoice_id end;
    given bigint;
begin
    -- Whoever finalises holds the row.
    select number into given from invoice where id = whose for share;
    if given is not null or (tg_op = 'UPDATE' and new.invoice_id <> old.invoice_id) then
        raise exception 'invoice % is final: undo it by a credit note', given
            using errcode = 'restrict_violation', constraint = 'invoice_final';
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $$;
create trigger guarded before insert or update or delete on invoice_line
    for each row execute function guard_invoice_part();
create trigger guarded before insert or update or delete on invoice_tax
    for each row execute function guard_invoice_part();
create trigger not_emptied before truncate on invoice_counter execute function refuse_change();
create trigger not_emptied before truncate on invoice execute function refuse_change();
create trigger not_emptied before truncate on invoice_line execute function refuse_change();
create trigger not_emptied before truncate on invoice_tax execute function refuse_change();

-- A term of a subscription that was bought, or given as a trial, with what follows when it is not
-- renewed: recorded then, so that later changes of a package's days move nobody's end.
create table subscription_term (
    id           uuid        primary key,
    op_key       text        not null unique,
    subscription text        not null,
    -- From a day up to, and without, another.
    starts       date        not null,
    ends         date        not null check (starts < ends),
    -- The day that all periods of the subscription are counted from, for ever.
    anchor       date        not null,
    invoice_id   uuid        references invoice,
    paid_by      uuid        references ledger_transaction,
    expires_at   timestamptz not null,
    grace_until  timestamptz not null,
    purge_after  timestamptz not null,
    bought_at    timestamptz not null,
    unique (subscription, starts),
    check (expires_at <= grace_until and grace_until <= purge_after)
);

create function guard_term() returns trigger language plpgsql as $$
declare
    last subscription_term;
begin
    -- Two that sell the same subscription wait for each other.
    perform pg_advisory_xact_lock(hashtextextended(new.subscription, 7236428202));
    select * into last from subscription_term where subscription = new.subscription order by starts desc limit 1;
    if last.ends > new.starts then
        raise exception 'the days of % from % on are sold up to %', new.subscription, last.starts, last.ends
            using errcode = 'check_violation', constraint = 'term_overlap';
    end if;
    -- A trial moves the anchor to its end, and nothing else moves it.
    if last.paid_by is not null and last.anchor <> new.anchor then
        raise exception 'the periods of % are counted from % for ever', new.subscription, last.anchor
            using errcode = 'check_violation', constraint = 'term_anchor';
    end if;
    return new;
end $$;
create trigger guarded before insert on subscription_term for each row execute function guard_term();
create trigger written_once before update or delete on subscription_term
    for each row execute function refuse_change();
create trigger not_emptied before truncate on subscription_term execute function refuse_change();
