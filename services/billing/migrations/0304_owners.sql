-- Whose capture an entry is, said by the entry itself: where the fee is the whole amount, no posting is the merchant's, and the
-- capture is on its invoice all the same. Entries from before are told by their postings.
alter table ledger_entries add column owner_tenant text collate "C", add column owner_merchant text collate "C",
  add check ((owner_tenant is null) = (owner_merchant is null));

do $$
declare
  lookup constant name := (select r.name from remit_roles r where r.kind = 'lookup');
begin
  perform set_config('remit.owner', current_user, true);
  execute format('grant create on schema %I to %I', current_schema(), lookup);
  execute format('set local role %I', lookup);
end $$;

create or replace function ledger_write(entry jsonb) returns boolean language plpgsql security definer as $$
begin
  insert into ledger_entries (id, kind, object_id, transition, ordinal, charge_id, reverses, posted_at, rail, fee_schedule, fee_from_minor,
      owner_tenant, owner_merchant)
    values (entry ->> 'id', entry ->> 'kind', entry ->> 'object', entry ->> 'transition', (entry ->> 'ordinal')::integer,
      entry ->> 'charge', entry ->> 'reverses', (entry ->> 'at')::timestamptz, entry ->> 'rail', entry #>> '{fee,schedule}', (entry #>> '{fee,from}')::bigint,
      entry #>> '{owner,tenant}', entry #>> '{owner,merchant}')
    on conflict (object_id, transition, ordinal) do nothing;
  if not found then
    perform ledger_expect_same(entry);
    return false;
  end if;
  with changed as (
    update ledger_accounts a set balance = a.balance + l.units, postings = a.postings + 1
    from jsonb_to_recordset(entry -> 'legs') as l(account text, units numeric)
    where a.id = l.account
    returning a.tenant_id, a.id, a.asset, l.units, a.balance
  )
  insert into ledger_postings (tenant_id, entry_id, account_id, asset, units, balance)
    select tenant_id, entry ->> 'id', id, asset, units, balance from changed;
  -- The pair of the check before the write: what stands in the table balances, leg for leg.
  if (select count(*) from ledger_postings p where p.entry_id = entry ->> 'id') <> jsonb_array_length(entry -> 'legs')
    or exists (select from ledger_postings p where p.entry_id = entry ->> 'id' group by p.asset having sum(p.units) <> 0) then
    raise exception 'entry % was not written as it was asked', entry ->> 'id' using errcode = 'LG001';
  end if;
  return true;
end $$;

-- Sums up the next slice of a closed month, about `most` entries, and keeps how far it came in the same transaction: a crash
-- loses nothing and counts nothing twice. The last slice writes the volumes. True while there is more.
create or replace function ledger_sum(asked text, most integer) returns boolean language plpgsql security definer as $$
declare
  begun ledger_months%rowtype;
  ends timestamptz;
  upto timestamptz;
begin
  select m.* into begun from ledger_months m where m.month = asked and m.state = 'closing' for update;
  if not found then
    return false;
  end if;
  ends := (to_timestamp(asked || '-01', 'YYYY-MM-DD')::timestamp + interval '1 month') at time zone 'UTC';
  select e.posted_at into upto from ledger_entries e
    where e.posted_at >= begun.summed_to and e.posted_at < ends order by e.posted_at offset most limit 1;
  if upto = begun.summed_to then
    -- More entries at one instant than a slice has: all of them.
    select min(e.posted_at) into upto from ledger_entries e where e.posted_at > begun.summed_to and e.posted_at < ends;
  end if;
  upto := coalesce(upto, ends);
  insert into ledger_sums as s (tenant_id, month, merchant_id, asset, kind, rail, fee_schedule, fee_from_minor, count, gross, withheld, invoiced)
    select x.tenant, asked, x.merchant, x.asset, x.kind, x.rail, x.schedule, x.tier, count(*),
      sum(x.fees - x.receivable - x.payable), sum(x.fees - x.receivable), sum(x.receivable)
    from (
      select e.id, e.kind, p.asset, coalesce(e.rail, '') as rail, coalesce(e.fee_schedule, '') as schedule, coalesce(e.fee_from_minor, 0) as tier,
        coalesce(e.owner_tenant, min(p.tenant_id) filter (where p.tenant_id <> 'platform')) as tenant,
        coalesce(e.owner_merchant, min(split_part(p.account_id, ':', 2)) filter (where p.tenant_id <> 'platform')) as merchant,
        coalesce(sum(p.units) filter (where p.account_id like 'merchant\_payable:%'), 0) as payable,
        coalesce(sum(p.units) filter (where p.account_id like 'merchant\_receivable:%'), 0) as receivable,
        -coalesce(sum(p.units) filter (where p.account_id like 'platform\_fees:%'), 0) as fees
      from ledger_entries e join ledger_postings p on p.entry_id = e.id
      where e.posted_at >= begun.summed_to and e.posted_at < upto and e.kind in ('capture', 'refund', 'dispute', 'reversal')
      group by e.id, p.asset
    ) as x
    where x.tenant is not null
    group by x.tenant, x.merchant, x.asset, x.kind, x.rail, x.schedule, x.tier
    on conflict (tenant_id, month, merchant_id, asset, kind, rail, fee_schedule, fee_from_minor) do update
      set count = s.count + excluded.count, gross = s.gross + excluded.gross,
        withheld = s.withheld + excluded.withheld, invoiced = s.invoiced + excluded.invoiced;
  if upto < ends then
    update ledger_months m set summed_to = upto where m.month = asked;
    return true;
  end if;
  insert into fee_volumes (tenant_id, merchant_id, rail, asset, month, captured)
    select s.tenant_id, s.merchant_id, s.rail, s.asset, asked, sum(s.gross) from ledger_sums s
    where s.month = asked and s.kind = 'capture' group by s.tenant_id, s.merchant_id, s.rail, s.asset;
  update ledger_months m set summed_to = ends, state = 'summed' where m.month = asked;
  return false;
end $$;

do $$
begin
  execute format('alter function ledger_write(jsonb) set search_path = %I, pg_temp', current_schema());
  execute format('alter function ledger_sum(text, integer) set search_path = %I, pg_temp', current_schema());
  execute format('set local role %I', current_setting('remit.owner'));
  execute format('revoke create on schema %I from %I', current_schema(), (select r.name from remit_roles r where r.kind = 'lookup'));
end $$;
