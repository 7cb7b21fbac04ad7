-- In which zone a principal's days begin. A day that has begun keeps the zone it began in.
create table wallet_settings (
  tenant_id text not null collate "C",
  zone text not null default 'UTC',
  changed_at timestamptz not null,
  primary key (tenant_id)
);
call remit_tenant_table('wallet_settings');
grant select, insert, update on wallet_settings to :"app";

-- Where a hold is spent, for the sums by merchant and category: what the directory said when it was taken.
alter table mandate_holds
  add column merchant_id text collate "C",
  add column category text;

-- What was spent and given back on each day, in budget units of the mandate's currency. A charge under a mandate that was
-- handed on counts for each mandate above it too, there as `below`: the sums of a tenant leave those out.
create table spending_days (
  tenant_id text not null collate "C",
  day date not null,
  mandate_id text not null collate "C",
  below boolean not null,
  agent_id text not null collate "C",
  merchant_id text not null collate "C",
  category text not null,
  currency text not null,
  spent numeric(30, 0) not null check (spent >= 0),
  refunded numeric(30, 0) not null check (refunded >= 0),
  charges integer not null check (charges >= 0),
  primary key (tenant_id, mandate_id, day, below, agent_id, merchant_id, category, currency),
  foreign key (tenant_id, mandate_id) references mandates (tenant_id, id)
);
call remit_tenant_table('spending_days');
create index spending_days_by_day on spending_days (tenant_id, day) where not below;
grant select, insert, update on spending_days to :"app";

-- The day it is for a principal, by the database's clock.
create function spending_today() returns date language sql stable as $$
  select (now() at time zone coalesce((select zone from wallet_settings
    where tenant_id = nullif(current_setting('remit.tenant', true), '')), 'UTC'))::date $$;

-- Adds what a charge spent, or gave back, to the day it is: for its own mandate and each above it, the root first.
create function count_spending(text, numeric, numeric, integer) returns void language sql as $$
  insert into spending_days as d (tenant_id, day, mandate_id, below, agent_id, merchant_id, category, currency, spent,
    refunded, charges)
  select h.tenant_id, spending_today(), m.id, m.id <> h.mandate_id, leaf.agent_id, h.merchant_id,
    coalesce(h.category, ''), leaf.currency, $2, $3, $4
  from mandate_holds h
    join mandates leaf on leaf.tenant_id = h.tenant_id and leaf.id = h.mandate_id
    join mandates m on m.tenant_id = h.tenant_id and m.id = any(array_append(leaf.ancestors, leaf.id))
  where h.tenant_id = nullif(current_setting('remit.tenant', true), '') and h.charge_id = $1
    and h.merchant_id is not null
  order by cardinality(m.ancestors)
  on conflict (tenant_id, mandate_id, day, below, agent_id, merchant_id, category, currency) do update
    set spent = d.spent + excluded.spent, refunded = d.refunded + excluded.refunded,
      charges = d.charges + excluded.charges
$$;
