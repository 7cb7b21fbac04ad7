-- As before, but for what Stripe has converted. The former release booked that without `fx`, in one asset against a clearing account
-- of another one's money: under the same name, and so each look at such a dispute or refund contradicted what stood there and undid
-- all that it had found. What stands there stays as it is, whichever of the two it was.
do $$
declare
  lookup constant name := (select r.name from remit_roles r where r.kind = 'lookup');
begin
  perform set_config('remit.owner', current_user, true);
  execute format('grant create on schema %I to %I', current_schema(), lookup);
  execute format('set local role %I', lookup);
end $$;

create or replace function ledger_expect_same(entry jsonb) returns void language plpgsql stable security definer as $$
declare
  before constant text := (select e.id from ledger_entries e where e.object_id = entry ->> 'object'
    and e.transition = entry ->> 'transition' and e.ordinal = (entry ->> 'ordinal')::integer);
begin
  if entry ->> 'transition' = 'booked'
    and exists (select from jsonb_to_recordset(entry -> 'legs') as l(code text) where l.code = 'fx')
      <> exists (select from ledger_postings p join ledger_accounts a on a.id = p.account_id where p.entry_id = before and a.code = 'fx')
  then
    return;
  end if;
  if exists (
    select from (select account_id, units from ledger_postings where entry_id = before) as p
    full join jsonb_to_recordset(entry -> 'legs') as l(account text, units numeric)
      on l.account = p.account_id and l.units = p.units
    where l.account is null or p.account_id is null
  ) then
    raise exception 'entry % says something else than % of the same transition', entry ->> 'id', before using errcode = 'LG002';
  end if;
end $$;

do $$
begin
  execute format('alter function ledger_expect_same(jsonb) set search_path = %I, pg_temp', current_schema());
  execute format('set local role %I', current_setting('remit.owner'));
  execute format('revoke create on schema %I from %I', current_schema(), (select r.name from remit_roles r where r.kind = 'lookup'));
end $$;
