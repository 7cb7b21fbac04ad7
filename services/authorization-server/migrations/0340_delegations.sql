-- What one agent handed to another: each row is one link, each chain a tree that hangs on its first link.
create table delegations (
  tenant_id text not null collate "C",
  id text not null collate "C",
  -- The first link; its row is the lock of the whole chain.
  chain_id text not null collate "C",
  parent_id text collate "C",
  depth int not null check (depth between 1 and 8),
  delegator text not null collate "C",
  delegatee text not null collate "C",
  -- The access token that offers this link to the delegatee (RFC 8693 §4.4), by its jti.
  offer_jti text not null collate "C",
  subject text not null collate "C",
  audience text not null collate "C",
  scopes text[] not null check (cardinality(scopes) > 0),
  created_at timestamptz not null,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  primary key (tenant_id, id),
  unique (id),
  unique (tenant_id, offer_jti),
  foreign key (tenant_id, chain_id) references delegations (tenant_id, id),
  foreign key (tenant_id, parent_id) references delegations (tenant_id, id),
  check ((parent_id is null) = (depth = 1)),
  check ((parent_id is null) = (chain_id = id)),
  check (delegator <> delegatee)
);
create index delegations_by_parent on delegations (tenant_id, parent_id) where parent_id is not null;
call remit_tenant_table('delegations');
grant select, insert, update on delegations to :"app";
