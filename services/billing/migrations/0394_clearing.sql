-- What waits in the clearing accounts is told by ledger_waiting().
do $$
declare
  owner constant name := current_user;
begin
  execute format('set local role %I', (select r.name from remit_roles r where r.kind = 'lookup'));
  drop function ledger_clearing(timestamptz);
  execute format('set local role %I', owner);
end $$;
