-- Whether somebody can sign in by one of their identities, apart from one: at an active provider of an active organization,
-- to which they belong unless it is the operator's. Each provider is looked at under its own tenant.
create function has_usable_identity(account text, apart_from text) returns boolean language plpgsql as $$
declare
  before constant text := coalesce(current_setting('remit.tenant', true), '');
  way record;
  usable boolean := false;
begin
  for way in
    select i.provider_id, o.tenant_id from identities i
      join tenant_standings o on o.tenant_id = tenant_of_identity_provider(i.provider_id) and o.status = 'active'
    where i.account_id = account and i.id is distinct from apart_from
  loop
    perform set_config('remit.tenant', way.tenant_id, true);
    usable := exists (select from identity_providers p where p.id = way.provider_id and p.status = 'active')
      and (way.tenant_id = 'org_00000000000000000000000000'
        or exists (select from memberships m where m.account_id = account));
    exit when usable;
  end loop;
  perform set_config('remit.tenant', before, true);
  return usable;
end $$;
