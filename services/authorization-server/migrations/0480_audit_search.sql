-- Entries by the time of their events: a range is read without the rest, and an insert hardly notices.
create index audit_rows_by_time on audit_rows using brin (at) with (pages_per_range = 32, autosummarize = on);

-- Which checkpoint was signed before a time, and which after.
create index audit_checkpoints_by_time on audit_checkpoints (tenant_id, signed_at);

-- What the hourly verification of each log found last. Ids and places only.
create table audit_verifications (
  tenant_id text primary key collate "C",
  at timestamptz not null,
  head_seq bigint not null,
  broken_seq bigint,
  reason text
);
create index audit_verifications_broken on audit_verifications (tenant_id) where broken_seq is not null;
grant select, insert, update, delete on audit_verifications to :"app";
grant select on audit_heads to :"relay";
