-- Which plan an organization has, and how it came to it.

-- A tenant without a row has the free plan. `version` rises with every change of what the plan allows: whoever enforces
-- it takes over a greater one alone.
create table plans (
  tenant_id text not null collate "C",
  tier text not null check (tier in ('free', 'pro', 'enterprise')),
  version bigint not null check (version > 0),
  -- Agreed with this organization, instead of its tier's; null is any number.
  own_limits jsonb,
  -- `subscription`: as Stripe says; `agreement`: as the operator of the installation says.
  source text not null check (source in ('subscription', 'agreement')),
  subscription text collate "C",
  subscription_status text,
  period_end timestamptz,
  ends_with_period boolean not null default false,
  -- When the read began that this was written from: an older one changes nothing.
  read_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id)
);
call remit_tenant_table('plans');
grant select, insert, update on plans to :"app";

-- Visits to Stripe's Checkout. The row is there before Stripe is asked, and its id is the idempotency key: an answer that
-- was lost is asked for again with the same words.
create table checkouts (
  tenant_id text not null collate "C",
  id text not null collate "C",
  tier text not null check (tier in ('pro')),
  success_url text not null,
  cancel_url text not null,
  state text not null check (state in ('opening', 'open', 'completed', 'expired')),
  session text collate "C",
  url text,
  created_at timestamptz not null,
  ended_at timestamptz,
  primary key (tenant_id, id),
  unique (session),
  check (state in ('opening', 'expired') or session is not null)
);
-- One at a time: nobody pays twice for one plan.
create unique index checkouts_running on checkouts (tenant_id) where state in ('opening', 'open');
call remit_tenant_table('checkouts');
grant select, insert, update on checkouts to :"app";

call remit_lookup('stripe_customer', 'stripe_customers', 'reference');
call remit_lookup('checkout_session', 'checkouts', 'session');
create unique index stripe_customers_reference on stripe_customers (reference);
