-- When the keys of a verified merchant are read again though nobody asked, and how often in a row that has failed. Rows from
-- before are due at once, the oldest first.
alter table merchants add column read_again_at timestamptz, add column read_failures integer not null default 0;
create index merchants_due on merchants (coalesce(read_again_at, verified_at)) where verification_status = 'verified';
