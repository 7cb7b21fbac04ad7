-- The database's word on many requests at once, in one statement and so in one transaction: whether their clients still
-- are as they were known, which of their first uses are first, and, if everything is, what is recorded of them. When a
-- client has changed nothing is claimed, and when a use is not the first nothing is recorded: the application asks again.
create function confirm_requests(
  for_tenants text[], for_ids text[], for_stamps text[], for_uses text[], keep_until timestamptz, audit jsonb, events jsonb,
  out changed text[], out claimed text[]
) language plpgsql as $$
begin
  claimed := '{}';
  changed := changed_clients(for_tenants, for_ids, for_stamps);
  if changed <> '{}' then return; end if;
  if for_uses <> '{}' then
    with first as (
      -- In one order, so that two batches with uses in common never wait for each other crosswise.
      insert into first_uses (key, until) select decode(use, 'hex'), keep_until from unnest(for_uses) as use order by use
      on conflict do nothing returning key)
    select coalesce(array_agg(encode(first.key, 'hex')), '{}') into claimed from first;
  end if;
  if cardinality(claimed) < cardinality(for_uses) or events = '[]' then return; end if;
  perform record_audit_rows(audit);
  insert into outbox (id, type, version, at, tenant_id, actor, subject, payload, retention)
  select e.id, e.type, e.version, e.at, e.tenant_id, e.actor, e.subject, e.payload, e.retention
  from jsonb_to_recordset(events) as e(id text, type text, version integer, at timestamptz, tenant_id text, actor jsonb,
    subject text, payload jsonb, retention text);
end $$;
revoke all on function confirm_requests(text[], text[], text[], text[], timestamptz, jsonb, jsonb) from public;
grant execute on function confirm_requests(text[], text[], text[], text[], timestamptz, jsonb, jsonb) to :"app";
