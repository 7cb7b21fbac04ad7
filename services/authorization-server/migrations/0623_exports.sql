-- What of a mandate can be spent without asking us: a charge of kind export, whose hold keeps its full limit until its issuer
-- has said what was used of it. In the principal's tenant.
create table exports (
  tenant_id text not null collate "C",
  id text not null collate "C",
  mandate_id text not null collate "C",
  agent_id text not null collate "C",
  kind text not null check (kind in ('ap2', 'acp', 'spt')),
  state text not null default 'held' check (state in ('held', 'revoking', 'closed')),
  currency text not null,
  limit_minor bigint not null check (limit_minor between 1 and 9007199254740991),
  used_minor bigint not null default 0 check (used_minor between 0 and limit_minor),
  document jsonb not null,
  because text,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  closed_at timestamptz,
  primary key (tenant_id, id),
  unique (id),
  foreign key (tenant_id, mandate_id) references mandates (tenant_id, id),
  foreign key (tenant_id, id) references mandate_holds (tenant_id, charge_id),
  check ((state = 'closed') = (closed_at is not null))
);
call remit_tenant_table('exports');
call remit_lookup('export', 'exports', 'id');
create index exports_of_mandate on exports (tenant_id, mandate_id, id);
grant select, insert, update on exports to :"app";

create function exports_way() returns trigger language plpgsql as $$
begin
  if old.state = 'closed' or (old.state = 'revoking' and new.state = 'held') or new.used_minor < old.used_minor then
    raise exception 'an export does not go back' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger exports_way before update on exports for each row execute function exports_way();

-- Each use once, by the reference of whoever took the money.
create table export_uses (
  tenant_id text not null collate "C",
  export_id text not null collate "C",
  reference text not null,
  amount_minor bigint not null check (amount_minor > 0),
  told_at timestamptz not null,
  primary key (tenant_id, export_id, reference),
  foreign key (tenant_id, export_id) references exports (tenant_id, id)
);
call remit_tenant_table('export_uses');
grant select, insert on export_uses to :"app";
