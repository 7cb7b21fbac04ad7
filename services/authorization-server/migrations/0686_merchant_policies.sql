-- What a merchant accepts of those who come with mandates: in its tenant, one row for each merchant that said so.
create table merchant_policies (
  tenant_id text not null collate "C",
  merchant_id text not null collate "C",
  version integer not null check (version > 0),
  policy jsonb not null,
  changed_at timestamptz not null,
  primary key (tenant_id, merchant_id)
);
call remit_tenant_table('merchant_policies');
grant select, insert, update on merchant_policies to :"app";

-- The same from the payer's transaction that makes a charge. Runs with the rights of its caller and enters the payee's tenant
-- as the application does; the row is kept as read until the transaction ends.
create function merchant_policy_of(payee text, merchant text) returns jsonb language plpgsql as $$
declare
  before constant text := coalesce(current_setting('remit.tenant', true), '');
  found_policy jsonb;
begin
  perform set_config('remit.tenant', payee, true);
  select policy into found_policy from merchant_policies where merchant_id = merchant for share;
  perform set_config('remit.tenant', before, true);
  return found_policy;
end $$;

revoke all on function merchant_policy_of(text, text) from public;
grant execute on function merchant_policy_of(text, text) to :"app";
