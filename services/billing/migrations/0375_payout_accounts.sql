-- Where a merchant's money goes: its account at Stripe. Nobody writes it but the functions below, which onboarding calls: the
-- application may only read. Each account is a generation of its merchant's; the newest that has come into effect is the one.
create table payout_accounts (
  tenant_id text not null collate "C",
  id text not null collate "C",
  merchant_id text not null collate "C",
  generation integer not null check (generation > 0),
  country text not null collate "C" check (country ~ '^[A-Z]{2}$'),
  -- Stripe's name for it; null until Stripe has made it, and never another.
  reference text collate "C",
  -- What Stripe has said of it last.
  details_submitted boolean not null default false,
  charges_enabled boolean not null default false,
  payouts_enabled boolean not null default false,
  requirements jsonb not null default '[]',
  disabled_reason text,
  -- Looks at Stripe are numbered as they begin; `looked` is the one that was written last.
  look integer not null default 0,
  looked integer not null default 0,
  asked_by text not null collate "C",
  asked_at timestamptz not null,
  -- From when on money goes there: the first one's at once when it is able to, a change of it a day later.
  effective_from timestamptz,
  primary key (tenant_id, id),
  unique (id),
  unique (reference),
  unique (tenant_id, merchant_id, generation),
  check (looked <= look),
  check (effective_from is null or reference is not null)
);
call remit_tenant_table('payout_accounts');
grant select on payout_accounts to :"app";
call remit_lookup('payout_account', 'payout_accounts', 'reference');

create function payout_accounts_keep() returns trigger language plpgsql as $$
begin
  if (new.tenant_id, new.id, new.merchant_id, new.generation, new.country, new.asked_by, new.asked_at)
      is distinct from (old.tenant_id, old.id, old.merchant_id, old.generation, old.country, old.asked_by, old.asked_at)
    or old.reference is not null and new.reference is distinct from old.reference
    or old.effective_from is not null and new.effective_from is distinct from old.effective_from then
    raise exception 'where a merchant is paid is never changed: another account is onboarded' using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;
create trigger keep before update on payout_accounts for each row execute function payout_accounts_keep();
alter table payout_accounts enable always trigger keep;

-- Begins the onboarding of a merchant of the transaction's tenant, or answers with the one that is not through yet. Another
-- account beside one in effect only where that is asked for (`another`).
create function payout_account_begin(asked jsonb, another boolean) returns text language plpgsql security definer as $$
declare
  own constant text := nullif(current_setting('remit.tenant', true), '');
  last payout_accounts%rowtype;
begin
  perform pg_advisory_xact_lock(1279607118, hashtext(own || ' ' || (asked ->> 'merchant')));
  select p.* into last from payout_accounts p where p.tenant_id = own and p.merchant_id = asked ->> 'merchant'
    order by p.generation desc limit 1;
  if found and (last.effective_from is null or not another) then
    return last.id;
  end if;
  insert into payout_accounts (tenant_id, id, merchant_id, generation, country, asked_by, asked_at)
    values (own, asked ->> 'id', asked ->> 'merchant', coalesce(last.generation, 0) + 1, asked ->> 'country', asked ->> 'by',
      (asked ->> 'at')::timestamptz);
  return asked ->> 'id';
end $$;

-- What Stripe calls the account that it has made: kept once, and the first name wins.
create function payout_account_named(account text, named text) returns text language sql security definer as $$
  update payout_accounts p set reference = coalesce(p.reference, named)
  where p.id = account and p.tenant_id = nullif(current_setting('remit.tenant', true), '') returning p.reference
$$;

-- Begins a look at Stripe, and numbers it.
create function payout_account_look(account text) returns integer language sql security definer as $$
  update payout_accounts p set look = p.look + 1
  where p.id = account and p.tenant_id = nullif(current_setting('remit.tenant', true), '') returning p.look
$$;

-- Writes what a look has seen, if none that began later was written; true when it was. The first time that it is able to be
-- paid says when it comes into effect.
create function payout_account_seen(account text, look integer, seen jsonb) returns boolean language plpgsql security definer as $$
begin
  update payout_accounts p set looked = payout_account_seen.look,
    details_submitted = (seen ->> 'details_submitted')::boolean, charges_enabled = (seen ->> 'charges_enabled')::boolean,
    payouts_enabled = (seen ->> 'payouts_enabled')::boolean, requirements = seen -> 'requirements',
    disabled_reason = seen ->> 'disabled_reason',
    effective_from = case
      when p.effective_from is not null then p.effective_from
      when (seen ->> 'charges_enabled')::boolean and (seen ->> 'payouts_enabled')::boolean
        then (seen ->> 'at')::timestamptz + case p.generation when 1 then interval '0' else interval '24 hours' end
    end
  where p.id = account and p.tenant_id = nullif(current_setting('remit.tenant', true), '') and p.looked < payout_account_seen.look;
  return found;
end $$;

-- Payouts of Stripe from a merchant's account to its bank, each as it was read last.
create table payouts (
  tenant_id text not null collate "C",
  id text not null collate "C",
  account_id text not null collate "C",
  merchant_id text not null collate "C",
  reference text not null collate "C",
  status text not null collate "C" check (status in ('pending', 'in_transit', 'paid', 'failed', 'canceled')),
  amount_minor bigint not null,
  currency text not null collate "C",
  created_at timestamptz not null,
  arrives_at timestamptz not null,
  failure text,
  primary key (tenant_id, id),
  unique (id),
  unique (reference),
  foreign key (tenant_id, account_id) references payout_accounts (tenant_id, id)
);
create index payouts_newest on payouts (tenant_id, created_at desc, id desc);
call remit_tenant_table('payouts');
grant select, insert, update on payouts to :"app";

do $$
declare
  app constant name := (select r.name from remit_roles r where r.kind = 'app');
  lookup constant name := (select r.name from remit_roles r where r.kind = 'lookup');
  written text;
begin
  execute format('grant select, insert, update on payout_accounts to %I', lookup);
  execute format('create policy onboarding on payout_accounts to %I using (true) with check (true)', lookup);
  execute format('grant create on schema %I to %I', current_schema(), lookup);
  foreach written in array array['payout_account_begin(jsonb, boolean)', 'payout_account_named(text, text)',
    'payout_account_look(text)', 'payout_account_seen(text, integer, jsonb)'] loop
    execute format('alter function %s set search_path = %I, pg_temp', written, current_schema());
    execute format('revoke all on function %s from public', written);
    execute format('grant execute on function %s to %I', written, app);
    execute format('alter function %s owner to %I', written, lookup);
  end loop;
  execute format('revoke create on schema %I from %I', current_schema(), lookup);
end $$;

-- Whose account a payment goes on to, decided before it is made; and the fee of a capture, decided before it is asked for, so
-- that what Stripe keeps for us and what we post are one number.
alter table payments
  add column destination text collate "C",
  add column fee_minor bigint check (fee_minor >= 0),
  add column fee_schedule text collate "C",
  add column fee_from_minor bigint,
  add column fee_collection text collate "C" check (fee_collection in ('withheld', 'invoiced')),
  add check (num_nulls(fee_minor, fee_schedule, fee_from_minor, fee_collection) in (0, 4)),
  add check (fee_minor <= capture_minor);
