-- One immutable row per event, written in the transaction of the change: its canonical JSON and the digest of it.
create table audit_rows (
  tenant_id text not null collate "C",
  event_id text not null collate "C",
  at timestamptz not null,
  event text not null,
  subject text not null collate "C",
  body text not null,
  digest bytea not null check (octet_length(digest) = 32),
  primary key (tenant_id, event_id)
);
create index audit_rows_by_subject on audit_rows (tenant_id, subject, event_id);
call remit_tenant_table('audit_rows');
call remit_append_only('audit_rows');
grant select, insert on audit_rows to :"app";

-- Rows that have no place in their tenant's chain yet. Ids only; the sequencer empties it.
create table audit_queue (
  tenant_id text not null collate "C",
  event_id text not null collate "C",
  primary key (tenant_id, event_id)
);
grant select, insert, delete on audit_queue to :"app";
grant select on audit_queue to :"relay";

-- The chain: place, link and hashes of each row.
create table audit_chain (
  tenant_id text not null collate "C",
  seq bigint not null check (seq > 0),
  event_id text not null collate "C",
  prev_hash text not null,
  entry_hash text not null,
  sig_chain_head_seq bigint not null,
  sig_chain_head_jti text,
  leaf bytea not null check (octet_length(leaf) = 32),
  primary key (tenant_id, seq),
  unique (tenant_id, event_id),
  foreign key (tenant_id, event_id) references audit_rows (tenant_id, event_id)
);
call remit_tenant_table('audit_chain');
call remit_append_only('audit_chain');
grant select, insert on audit_chain to :"app";

-- Where each chain ends, and the lock under which one sequencer at a time extends it. Ids and digests only.
create table audit_heads (
  tenant_id text primary key collate "C",
  seq bigint not null default 0,
  entry_hash text not null,
  checkpoint_seq bigint not null default 0,
  checkpoint_jti text
);
grant select, insert, update on audit_heads to :"app";
grant select on audit_heads to :"relay";

create table audit_checkpoints (
  tenant_id text not null collate "C",
  head_seq bigint not null,
  jti text not null collate "C",
  signed_at timestamptz not null,
  jws text not null,
  primary key (tenant_id, head_seq)
);
call remit_tenant_table('audit_checkpoints');
call remit_append_only('audit_checkpoints');
grant select, insert on audit_checkpoints to :"app";
