-- Money that waits in a clearing account for longer than it may is a case, which closes itself when it has cleared, and is
-- opened again should it wait again.
alter table reconciliation_cases drop constraint reconciliation_cases_kind_check;
alter table reconciliation_cases add check (kind in ('missing_here', 'missing_there', 'other_amount', 'other_fee', 'waits'));
grant update (opened_at, ours) on reconciliation_cases to :"app";

-- Clearing accounts return to nothing, charge by charge. Of the charges that moved since a moment: how many have not, since when,
-- and how much of the balance they are. Whatever else stands in the balance is older than that moment.
create function ledger_waiting(since timestamptz)
returns table (code text, asset text, balance numeric, waiting bigint, waits_since timestamptz, recent numeric)
language sql stable security definer as $$
  with moved as (
    select distinct coalesce(e.charge_id, e.object_id) as about, e.charge_id is null as alone
    from ledger_entries e join ledger_postings p on p.entry_id = e.id join ledger_accounts a on a.id = p.account_id
    where e.posted_at >= ledger_waiting.since and a.tenant_id = 'platform' and (a.code like '%\_clearing' or a.code = 'dispute_reserve')
  ), left_over as (
    select a.code, a.asset, m.about, min(e.posted_at) as since, sum(p.units) as units
    from moved m
    join ledger_entries e on case when m.alone then e.object_id = m.about and e.charge_id is null else e.charge_id = m.about end
    join ledger_postings p on p.entry_id = e.id join ledger_accounts a on a.id = p.account_id
    where a.tenant_id = 'platform' and (a.code like '%\_clearing' or a.code = 'dispute_reserve')
    group by 1, 2, 3 having sum(p.units) <> 0
  )
  select a.code, a.asset, sum(a.balance),
    (select count(*) from left_over l where (l.code, l.asset) = (a.code, a.asset)),
    (select min(l.since) from left_over l where (l.code, l.asset) = (a.code, a.asset)),
    coalesce((select sum(l.units) from left_over l where (l.code, l.asset) = (a.code, a.asset)), 0)
  from ledger_accounts a where a.tenant_id = 'platform' and (a.code like '%\_clearing' or a.code = 'dispute_reserve')
  group by a.code, a.asset order by 1, 2
$$;

do $$
declare
  app constant name := (select r.name from remit_roles r where r.kind = 'app');
  lookup constant name := (select r.name from remit_roles r where r.kind = 'lookup');
begin
  execute format('grant create on schema %I to %I', current_schema(), lookup);
  execute format('alter function ledger_waiting(timestamptz) set search_path = %I, pg_temp', current_schema());
  execute format('revoke all on function ledger_waiting(timestamptz) from public');
  execute format('grant execute on function ledger_waiting(timestamptz) to %I', app);
  execute format('alter function ledger_waiting(timestamptz) owner to %I', lookup);
  execute format('revoke create on schema %I from %I', current_schema(), lookup);
end $$;
