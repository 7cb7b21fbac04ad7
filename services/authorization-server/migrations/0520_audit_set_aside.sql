-- What could not get a place in its tenant's chain: not the row that was recorded, or none at all. Ids and a word why. An
-- owner who has mended the row deletes the line and puts the row in the queue again; until then the log counts as broken.
create table audit_set_aside (
  tenant_id text not null collate "C",
  event_id text not null collate "C",
  at timestamptz not null,
  reason text not null,
  primary key (tenant_id, event_id)
);
grant select, insert, update on audit_set_aside to :"app";
