-- Only the primary key begins with the tenant: of two indexes that do, a planner without statistics may take the one that
-- leads through everything a tenant has to send, for each row of a batch.
alter table webhook_deliveries drop constraint webhook_deliveries_once;
alter table webhook_deliveries add constraint webhook_deliveries_once unique (webhook_id, event_id);
drop index webhook_deliveries_due, webhook_deliveries_dead, webhook_deliveries_newest;
create index webhook_deliveries_due on webhook_deliveries (webhook_id, next_at) where status = 'pending';
create index webhook_deliveries_dead on webhook_deliveries (webhook_id, id) where status = 'dead_letter';
create index webhook_deliveries_newest on webhook_deliveries (webhook_id, id);
