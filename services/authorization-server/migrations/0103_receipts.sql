-- A receipt is kept for the payer and for the payee, each in its own tenant. No row ever changes.
create table receipts (
  tenant_id text not null collate "C",
  id text not null collate "C",
  charge_id text not null collate "C",
  agent_id text not null collate "C",
  client_id text not null collate "C",
  jwt text not null,
  issued_at timestamptz not null,
  primary key (tenant_id, id)
);
call remit_tenant_table('receipts');
create index receipts_of_charge on receipts (tenant_id, charge_id);
grant select, insert on receipts to :"app";
call remit_append_only('receipts');
