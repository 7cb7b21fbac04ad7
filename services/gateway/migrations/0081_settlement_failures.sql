-- Who has signed transfers that could not be settled once they were served. After three of them within a day, that payer's
-- next ones are settled before anything is served to it.
create table settlement_failures (
  tenant_id text not null collate "C",
  -- Chain and address, as claims have them.
  payer text not null collate "C",
  failures integer not null check (failures > 0),
  since timestamptz not null,
  before_until timestamptz,
  primary key (tenant_id, payer)
);
call remit_tenant_table('settlement_failures');
grant select, insert, update, delete on settlement_failures to :"app";
