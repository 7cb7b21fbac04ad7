-- Secrets and keys that an agent proves itself by, beside the assertion key of its row.
create table credentials (
  tenant_id text not null collate "C",
  id text not null collate "C",
  agent_id text not null collate "C",
  kind text not null check (kind in ('secret', 'key')),
  name text,
  -- HMAC of the secret; the one before counts until a moment after a rotation with an overlap.
  digest bytea,
  jwk jsonb,
  former_digest bytea,
  former_jwk jsonb,
  former_until timestamptz,
  vault_path text,
  created_by text not null collate "C",
  created_at timestamptz not null,
  rotated_at timestamptz,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  -- The end of which its holder has been reminded.
  reminded_of timestamptz,
  primary key (tenant_id, id),
  foreign key (tenant_id, agent_id) references agents (tenant_id, id),
  check ((kind = 'secret') = (digest is not null)),
  check ((kind = 'key') = (jwk is not null))
);
create index credentials_of_agent on credentials (tenant_id, agent_id, id);
call remit_tenant_table('credentials');
grant select, insert, update on credentials to :"app";

-- What of them counts now, in the row that is read to authenticate an agent: written with every change of them.
alter table clients add column credentials jsonb not null default '[]',
  add constraint clients_credentials_check check (credentials = '[]' or kind = 'agent');

-- A tenant that lets its agents have bearer tokens, or no longer, changes what its clients may have.
create or replace function client_stamp(client text) returns text language sql stable as $$
  select concat_ws(' ', c.xmin, a.xmin, s.xmin, t.xmin)
  from clients c
    left join agents a on a.tenant_id = c.tenant_id and a.id = c.id
    left join agent_standings s on s.agent_id = c.id
    left join tenants t on t.tenant_id = c.tenant_id
  where c.id = client
$$;
