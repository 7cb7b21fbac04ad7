-- What organizations have paid for their plans, an invoice of Stripe's each, as its payments were read. What was charged includes
-- the tax that the organization's profile says at that moment.
create table plan_charges (
  tenant_id text not null collate "C",
  -- Stripe's invoice.
  reference text not null collate "C",
  subscription text not null collate "C",
  tier text not null collate "C",
  asset text not null collate "C",
  gross numeric(38, 0) not null check (gross > 0),
  tax numeric(38, 0) not null check (tax between 0 and gross),
  tax_basis_points integer not null check (tax_basis_points between 0 and 5000),
  reverse_charge boolean not null check (not reverse_charge or tax = 0),
  -- The moment of its entries: what a month has is on that month's invoice.
  posted_at timestamptz not null,
  primary key (tenant_id, reference),
  unique (reference)
);
create index plan_charges_posted on plan_charges (posted_at, tenant_id);
call remit_tenant_table('plan_charges');
call remit_append_only('plan_charges');
grant select, insert on plan_charges to :"app";

-- Who paid for a plan in a time, from one tenant on: ids alone.
create function plan_payers(from_time timestamptz, until_time timestamptz, beyond text, most integer) returns setof text
language sql stable security definer as $$
  select distinct c.tenant_id from plan_charges c
  where c.posted_at >= from_time and c.posted_at < until_time and c.tenant_id > beyond order by c.tenant_id limit most
$$;

-- The invoice of an organization's plan is of no merchant. What it has paid is on it as paid: one for each rate of tax.
alter table invoices alter column merchant_id drop not null;
create unique index invoices_of_plans on invoices (tenant_id, month, asset, tax_basis_points, reverse_charge) where merchant_id is null;

do $$
declare
  app constant name := (select r.name from remit_roles r where r.kind = 'app');
  lookup constant name := (select r.name from remit_roles r where r.kind = 'lookup');
begin
  execute format('grant select (tenant_id, posted_at) on plan_charges to %I', lookup);
  execute format('create policy payers on plan_charges for select to %I using (true)', lookup);
  execute format('alter function plan_payers(timestamptz, timestamptz, text, integer) set search_path = %I, pg_temp', current_schema());
  execute 'revoke all on function plan_payers(timestamptz, timestamptz, text, integer) from public';
  execute format('grant execute on function plan_payers(timestamptz, timestamptz, text, integer) to %I', app);
  execute format('grant create on schema %I to %I', current_schema(), lookup);
  execute format('alter function plan_payers(timestamptz, timestamptz, text, integer) owner to %I', lookup);
  execute format('revoke create on schema %I from %I', current_schema(), lookup);
end $$;
