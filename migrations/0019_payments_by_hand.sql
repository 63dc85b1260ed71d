-- Payments for people to look through, and those that nobody approved in time.
create index payment_by_time on payment (created_at desc, id desc);
create index payment_to_approve on payment (expires_at) where provider = 'manual' and state = 'pending';

-- Evidence of what never counts is free again.
drop index payment_by_evidence;
create unique index payment_by_evidence on payment (evidence)
    where provider = 'manual' and state not in ('failed', 'expired');
