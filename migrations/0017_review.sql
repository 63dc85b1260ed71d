-- Changes that a person reviews: they are branches of their own until somebody merges them.

alter table operation drop constraint operation_state_check;
alter table operation add constraint operation_state_check
    check (state in ('accepted', 'proposed', 'committed', 'observed', 'applying', 'verifying', 'succeeded', 'failed', 'superseded', 'cancelled'));
create index operation_in_review on operation (updated_at, id) where state = 'proposed';
