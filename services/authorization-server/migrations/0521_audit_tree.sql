-- The tree over each log's leaves (RFC 6962), as C2SP tlog-tiles cuts it: the root of each full tile of 256 hashes, level
-- by level. The leaves themselves stand in audit_chain. A checkpoint names the root over everything before it, as a signed
-- note too; those of before this migration do not.
create table audit_tree (
  tenant_id text not null collate "C",
  level smallint not null check (level > 0),
  place bigint not null check (place >= 0),
  hash bytea not null check (octet_length(hash) = 32),
  primary key (tenant_id, level, place)
);
call remit_tenant_table('audit_tree');
call remit_append_only('audit_tree');
grant select, insert on audit_tree to :"app";

alter table audit_checkpoints add column note text;
