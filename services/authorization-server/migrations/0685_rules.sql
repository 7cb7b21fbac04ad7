-- What a principal decided for all of its mandates: in its tenant, one row, whose version rises with each change.
create table wallet_rules (
  tenant_id text not null collate "C",
  version integer not null check (version > 0),
  limits jsonb not null,
  step_up jsonb not null,
  blocked_merchants text[] not null,
  blocked_categories text[] not null,
  changed_at timestamptz not null,
  primary key (tenant_id)
);
call remit_tenant_table('wallet_rules');
grant select, insert, update on wallet_rules to :"app";

-- What a standing limit has counted in each period, in units of 10^-6 of its currency. No agent is the empty name: all of
-- them together. A hold counts in the period in which it was taken, whatever limits there were then.
create table standing_windows (
  tenant_id text not null collate "C",
  agent_id text not null collate "C",
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  period text not null check (period in ('hour', 'day', 'week', 'month')),
  zone text not null,
  opens_at timestamptz not null,
  amount numeric(30, 0) not null check (amount >= 0),
  uses integer not null check (uses >= 0),
  primary key (tenant_id, agent_id, currency, period, zone, opens_at)
);
call remit_tenant_table('standing_windows');
create index standing_windows_by_time on standing_windows (tenant_id, opens_at);
grant select, insert, update, delete on standing_windows to :"app";

-- A new limit counts what was held since its period began: holds are written in the order of time.
create index mandate_holds_taken on mandate_holds using brin (taken_at);
