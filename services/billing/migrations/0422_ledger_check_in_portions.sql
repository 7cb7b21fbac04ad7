-- The check of the books in portions, each bounded however many entries there are; whoever checks adds them up, in one snapshot.
-- An account is a number made of its name: sums of all tenants, and nothing that says whose. ledger_check() is the former release's.
do $$
declare
  lookup constant name := (select r.name from remit_roles r where r.kind = 'lookup');
begin
  perform set_config('remit.owner', current_user, true);
  perform set_config('remit.app', (select r.name from remit_roles r where r.kind = 'app'), true);
  execute format('grant create on schema %I to %I', current_schema(), lookup);
  execute format('set local role %I', lookup);
end $$;

-- Of the entries after one and up to another (null: to the end), what they moved: a row for each account, and one for each asset that
-- counts its entries and those that do not balance.
create function ledger_check_postings(after text, until text)
returns table (account bigint, asset text, units numeric, postings bigint, entries bigint, unbalanced bigint)
language sql stable security definer as $$
  with portion as materialized (
    select p.entry_id, p.account_id, p.asset, p.units from ledger_postings p
    where p.entry_id > after and p.entry_id <= coalesce(until, '~')
  )
  select hashtextextended(p.account_id, 0), null::text, sum(p.units), count(*), 0::bigint, 0::bigint from portion p group by p.account_id
  union all
  select null::bigint, e.asset, 0, 0::bigint, count(*), count(*) filter (where e.units <> 0)
  from (select p.asset, sum(p.units) as units from portion p group by p.entry_id, p.asset) as e group by e.asset
$$;

-- So many accounts after one, with the last of them.
create function ledger_check_accounts(after text, most integer)
returns table (account bigint, asset text, balance numeric, postings bigint, last text)
language sql stable security definer as $$
  select hashtextextended(a.id, 0), a.asset, a.balance, a.postings, max(a.id) over ()
  from (select * from ledger_accounts where id > after order by id limit most) as a
$$;

do $$
declare
  written text;
begin
  foreach written in array array['ledger_check_postings(text, text)', 'ledger_check_accounts(text, integer)'] loop
    execute format('alter function %s set search_path = %I, pg_temp', written, current_schema());
    execute format('revoke all on function %s from public', written);
    execute format('grant execute on function %s to %I', written, current_setting('remit.app'));
  end loop;
  execute format('set local role %I', current_setting('remit.owner'));
  execute format('revoke create on schema %I from %I', current_schema(), (select r.name from remit_roles r where r.kind = 'lookup'));
end $$;
