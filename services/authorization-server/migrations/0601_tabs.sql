-- What a mandate owes one merchant for purchases below what a card can be charged: charged as one, later. One is open at a
-- time; each change is one conditional UPDATE on (state, generation).
create table tabs (
  tenant_id text not null collate "C",
  id text not null collate "C",
  mandate_id text not null collate "C",
  agent_id text not null collate "C",
  merchant_id text not null collate "C",
  merchant_tenant_id text not null collate "C",
  merchant_client_id text not null collate "C",
  currency text not null,
  instrument_id text collate "C",
  state text not null default 'open' check (state in ('open', 'settling', 'capturing', 'releasing', 'settled', 'unpaid')),
  generation integer not null default 1 check (generation > 0),
  -- What is owed: captured purchases, less what was refunded before it was charged.
  owed_minor bigint not null check (owed_minor >= 0),
  -- What is asked of billing in this generation.
  asked_minor bigint check (asked_minor > 0),
  limit_minor bigint not null check (limit_minor > 0),
  -- What billing calls the payment's charge; its verbs are unique by (this, generation).
  charge_id text not null collate "C",
  payment_id text collate "C",
  payment_reference text,
  because text,
  opened_at timestamptz not null,
  due_at timestamptz not null,
  ended_at timestamptz,
  livemode boolean not null,
  primary key (tenant_id, id),
  unique (id),
  unique (charge_id),
  foreign key (tenant_id, mandate_id) references mandates (tenant_id, id),
  check (state in ('open', 'settled', 'unpaid') or asked_minor is not null)
);
call remit_tenant_table('tabs');
create unique index tabs_open on tabs (tenant_id, mandate_id, merchant_id, currency) where state = 'open';
grant select, insert, update on tabs to :"app";

alter table charges
  -- Runs on a tab, which is charged at this amount: billing hears of the tab alone.
  add column tab_limit_minor bigint check (tab_limit_minor > amount_minor),
  -- The tab that owes it, once it is captured.
  add column tab_id text collate "C",
  -- When it passed its commit point: a revocation after this does not stop it.
  add column commit_point_at timestamptz,
  add foreign key (tenant_id, tab_id) references tabs (tenant_id, id),
  add check (tab_id is null or tab_limit_minor is not null);
