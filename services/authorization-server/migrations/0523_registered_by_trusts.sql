-- The trust by which a workflow registered an agent: what it gave ends with it. Of agents registered before nobody knows.
alter table trusts add column parent_id text collate "C";
create index trusts_by_parent on trusts (tenant_id, parent_id) where parent_id is not null;
