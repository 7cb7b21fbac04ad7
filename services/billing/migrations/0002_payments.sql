-- Payments and payment methods belong to the payer's tenant.

-- The payer at Stripe: one customer per tenant.
create table stripe_customers (
  tenant_id text not null collate "C",
  reference text not null collate "C",
  created_at timestamptz not null,
  primary key (tenant_id)
);
call remit_tenant_table('stripe_customers');
grant select, insert, update on stripe_customers to :"app";

-- A saved card. `setup_reference` is the SetupIntent in which its holder agreed to charges without being present;
-- `agreement` names the words, `agreed_at` the time.
create table instruments (
  tenant_id text not null collate "C",
  id text not null collate "C",
  state text not null collate "C" check (state in ('enrolling', 'active', 'declined', 'removed')),
  customer text not null collate "C",
  method text collate "C",
  setup_reference text collate "C",
  brand text,
  last4 text,
  is_default boolean not null default false,
  agreement text not null,
  agreed_at timestamptz not null,
  created_at timestamptz not null,
  primary key (tenant_id, id),
  unique (id),
  unique (setup_reference),
  check (state <> 'active' or (method is not null and brand is not null and last4 is not null))
);
create unique index instruments_default on instruments (tenant_id) where is_default and state = 'active';
call remit_tenant_table('instruments');
grant select, insert, update on instruments to :"app";
call remit_lookup('setup', 'instruments', 'setup_reference');

create table payments (
  tenant_id text not null collate "C",
  id text not null collate "C",
  charge_id text not null collate "C",
  generation integer not null check (generation > 0),
  payee_id text not null collate "C",
  merchant_id text not null collate "C",
  rail text not null collate "C",
  -- Payer and instrument at the provider; null for a payment that was released before it was ever made.
  customer text collate "C",
  method text collate "C",
  currency text not null collate "C",
  amount_minor bigint not null check (amount_minor > 0),
  state text not null collate "C" check (state in ('authorizing', 'authorized', 'declined', 'requires_action', 'capturing',
    'captured', 'releasing', 'released', 'refunding', 'refunded')),
  -- Rises within a state, when a read has shown that the attempt before changed nothing.
  attempt integer not null default 1 check (attempt > 0),
  reference text collate "C",
  release_wanted boolean not null default false,
  capture_minor bigint check (capture_minor > 0),
  captured_minor bigint not null default 0 check (captured_minor >= 0),
  refunded_minor bigint not null default 0 check (refunded_minor >= 0),
  decline_code text collate "C",
  -- Whoever works on an "-ing" state has it until then; afterwards anybody may take it over.
  leased_until timestamptz not null,
  -- When this state began: how long an idempotency key can be replayed counts from here.
  state_since timestamptz not null,
  created_at timestamptz not null,
  primary key (tenant_id, id),
  unique (id),
  unique (charge_id, generation),
  unique (reference),
  check (captured_minor <= amount_minor and capture_minor <= amount_minor and refunded_minor <= captured_minor),
  check (state in ('authorizing', 'declined', 'released') or reference is not null),
  check ((state in ('captured', 'refunding', 'refunded')) = (captured_minor > 0))
);
call remit_tenant_table('payments');
grant select, insert, update on payments to :"app";
call remit_lookup('payment', 'payments', 'id');
call remit_lookup('payment_reference', 'payments', 'reference');

-- All generations of a charge have one payer.
create function tenant_of_charge(id text) returns text language sql stable security definer as $$
  select p.tenant_id from payments p where p.charge_id = $1 limit 1
$$;
do $$
declare
  app constant name := (select r.name from remit_roles r where r.kind = 'app');
  lookup constant name := (select r.name from remit_roles r where r.kind = 'lookup');
begin
  execute format('grant select (tenant_id, charge_id) on payments to %I', lookup);
  execute format('alter function tenant_of_charge(text) set search_path = %I, pg_temp', current_schema());
  execute format('revoke all on function tenant_of_charge(text) from public');
  execute format('grant execute on function tenant_of_charge(text) to %I', app);
  execute format('grant create on schema %I to %I', current_schema(), lookup);
  execute format('alter function tenant_of_charge(text) owner to %I', lookup);
  execute format('revoke create on schema %I from %I', current_schema(), lookup);
end $$;

-- A refund has its own id and its own attempts: two partial refunds of one payment are two.
create table refunds (
  tenant_id text not null collate "C",
  id text not null collate "C",
  payment_id text not null collate "C",
  amount_minor bigint not null check (amount_minor > 0),
  state text not null collate "C" check (state in ('refunding', 'refunded', 'refused')),
  reference text collate "C",
  created_at timestamptz not null,
  primary key (tenant_id, id),
  unique (id),
  foreign key (tenant_id, payment_id) references payments (tenant_id, id)
);
create unique index refunds_running on refunds (tenant_id, payment_id) where state = 'refunding';
create index refunds_payment on refunds (tenant_id, payment_id);
call remit_tenant_table('refunds');
grant select, insert, update on refunds to :"app";
