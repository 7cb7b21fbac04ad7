-- A closed mandate (AP2) by which a use of an export was told: each mandate counts once, and each checkout is paid once,
-- whichever export it is told of.
create table export_mandates (
  tenant_id text not null collate "C",
  -- As AP2's receipts name it: the digest of the closed mandate with its disclosures.
  reference text not null,
  export_id text not null collate "C",
  transaction_id text not null,
  payee text not null,
  amount_minor bigint not null check (amount_minor > 0),
  closed_at timestamptz not null,
  -- Both chains as they were told, under the tenant's data key: they name what paid.
  sealed bytea not null,
  primary key (tenant_id, reference),
  unique (tenant_id, transaction_id),
  foreign key (tenant_id, export_id, reference) references export_uses (tenant_id, export_id, reference)
);
call remit_tenant_table('export_mandates');
create index export_mandates_of_export on export_mandates (tenant_id, export_id);
grant select, insert on export_mandates to :"app";

-- What was proven is spent at once; the rest of the limit stays held as before.
alter table exports
  add column spent_minor bigint not null default 0,
  add check (spent_minor between 0 and used_minor);

create or replace function exports_way() returns trigger language plpgsql as $$
begin
  if old.state = 'closed' or (old.state = 'revoking' and new.state = 'held') or new.used_minor < old.used_minor
     or new.spent_minor < old.spent_minor then
    raise exception 'an export does not go back' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
