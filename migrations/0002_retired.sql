-- A unit of which no document speaks, while its policy keeps something of it, is neither gone nor
-- as its documents say.
alter table unit_status drop constraint unit_status_state_check;
alter table unit_status add constraint unit_status_state_check
    check (state in ('converged', 'applying', 'waiting', 'degraded', 'held', 'parked', 'retired'));
