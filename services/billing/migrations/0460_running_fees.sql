-- What a month that lasts has cost each of a tenant's shops so far: of what its invoices will be made of, as `ledger_sum` reads it
-- once the month is closed. Only a capture has a fee.
create index ledger_entries_captures on ledger_entries (owner_tenant, posted_at) where kind = 'capture';

create function ledger_running_fees(starts timestamptz, ends timestamptz)
returns table (merchant text, asset text, fee numeric, withheld numeric) language sql stable security definer as $$
  select x.merchant, x.asset, sum(x.fee), sum(x.fee - x.receivable) from (
    select e.owner_merchant as merchant, p.asset,
      -coalesce(sum(p.units) filter (where p.account_id like 'platform\_fees:%'), 0) as fee,
      coalesce(sum(p.units) filter (where p.account_id like 'merchant\_receivable:%'), 0) as receivable
    from ledger_entries e join ledger_postings p on p.entry_id = e.id
    where e.kind = 'capture' and e.owner_tenant = nullif(current_setting('remit.tenant', true), '')
      and e.posted_at >= starts and e.posted_at < ends
    group by e.id, p.asset) as x
  group by x.merchant, x.asset having sum(x.fee) <> 0 order by 1, 2
$$;

do $$
declare
  app constant name := (select r.name from remit_roles r where r.kind = 'app');
  lookup constant name := (select r.name from remit_roles r where r.kind = 'lookup');
begin
  execute format('grant create on schema %I to %I', current_schema(), lookup);
  execute format('alter function ledger_running_fees(timestamptz, timestamptz) set search_path = %I, pg_temp', current_schema());
  execute 'revoke all on function ledger_running_fees(timestamptz, timestamptz) from public';
  execute format('grant execute on function ledger_running_fees(timestamptz, timestamptz) to %I', app);
  execute format('alter function ledger_running_fees(timestamptz, timestamptz) owner to %I', lookup);
  execute format('revoke create on schema %I from %I', current_schema(), lookup);
end $$;
