-- From a person to the tenants they belong to: ids and nothing else, as with every lookup. What they are there is read under
-- each tenant.
create index memberships_account on memberships (account_id, tenant_id);
call remit_lookup('membership', 'memberships', 'account_id');
drop function tenant_of_membership(text);
do $$
declare
  app constant name := (select r.name from remit_roles r where r.kind = 'app');
  lookup constant name := (select r.name from remit_roles r where r.kind = 'lookup');
  schema constant text := current_schema();
begin
  execute format('create function tenants_of_member(account text, at_most int) returns setof text language sql stable
    security definer set search_path = %I, pg_temp as %L', schema, format(
    'select tenant_id from %I.memberships where account_id = $1 order by tenant_id limit $2', schema));
  revoke all on function tenants_of_member(text, int) from public;
  execute format('grant execute on function tenants_of_member(text, int) to %I', app);
  execute format('grant create on schema %I to %I', schema, lookup);
  execute format('alter function tenants_of_member(text, int) owner to %I', lookup);
  execute format('revoke create on schema %I from %I', schema, lookup);
end $$;
