-- What was kept of subscriptions that ended is looked for every minute, until it is purged.
create index operation_purging on operation (tenant, subscription) where kind = 'purge';
