-- When the database wrote an event down. What happens to one object is written under the lock of its row, one after the
-- other, so these times tell its order where the order of transactions (xid) does not. Rows from before have none.
alter table outbox add column recorded_at timestamptz;
alter table outbox alter column recorded_at set default clock_timestamp();
