-- Invoices: one per merchant and asset for each closed month, numbered without gaps.

-- To whom invoices are written, and by whom (`platform`): name, address and tax id are sealed.
create table billing_profiles (
  tenant_id text not null collate "C",
  sealed bytea not null,
  tax_basis_points integer not null check (tax_basis_points between 0 and 5000),
  reverse_charge boolean not null check (not reverse_charge or tax_basis_points = 0),
  due_days integer not null check (due_days between 0 and 120),
  changed_at timestamptz not null,
  primary key (tenant_id)
);
call remit_tenant_table('billing_profiles');
grant select, insert, update on billing_profiles to :"app";

-- The last number of each year. Taken in the transaction that writes the invoice: one that is rolled back leaves no gap.
create table invoice_numbers (
  year integer primary key,
  last integer not null check (last >= 0)
);
grant select, insert, update on invoice_numbers to :"app";

create table invoices (
  tenant_id text not null collate "C",
  id text not null collate "C",
  year integer not null,
  number integer not null check (number > 0),
  kind text not null collate "C" check (kind in ('invoice', 'credit_note')),
  month text not null collate "C" references ledger_months (month),
  merchant_id text not null collate "C",
  asset text not null collate "C",
  lines jsonb not null,
  net numeric(38, 0) not null,
  tax numeric(38, 0) not null,
  withheld numeric(38, 0) not null,
  tax_basis_points integer not null,
  reverse_charge boolean not null,
  -- Who wrote it to whom, as they were on that day.
  sealed bytea not null,
  issued_at timestamptz not null,
  due_at timestamptz not null,
  state text not null collate "C" check (state in ('open', 'overdue', 'reminded', 'final_notice', 'uncollectible', 'paid', 'credited')),
  next_step_at timestamptz,
  paid_at timestamptz,
  payment_reference text,
  primary key (tenant_id, id),
  unique (id),
  unique (year, number),
  unique (month, merchant_id, asset, kind)
);
create index invoices_steps on invoices (next_step_at) where next_step_at is not null;
call remit_tenant_table('invoices');
-- What an invoice says is written once; only how it stands changes.
grant select, insert on invoices to :"app";
grant update (state, next_step_at, paid_at, payment_reference) on invoices to :"app";
call remit_lookup('invoice', 'invoices', 'id');

-- Invoices whose next step is due: ids alone.
create function invoices_due(at timestamptz, most integer) returns table (tenant text, id text) language sql stable security definer as $$
  select i.tenant_id, i.id from invoices i where i.next_step_at <= invoices_due.at order by i.next_step_at, i.id limit most
$$;
do $$
declare
  app constant name := (select r.name from remit_roles r where r.kind = 'app');
  lookup constant name := (select r.name from remit_roles r where r.kind = 'lookup');
begin
  execute format('grant select (next_step_at) on invoices to %I', lookup);
  execute format('alter function invoices_due(timestamptz, integer) set search_path = %I, pg_temp', current_schema());
  execute 'revoke all on function invoices_due(timestamptz, integer) from public';
  execute format('grant execute on function invoices_due(timestamptz, integer) to %I', app);
  execute format('grant create on schema %I to %I', current_schema(), lookup);
  execute format('alter function invoices_due(timestamptz, integer) owner to %I', lookup);
  execute format('revoke create on schema %I from %I', current_schema(), lookup);
end $$;
