-- Whether a person's account is there, neither disabled nor erased (its key shredded).
create function account_lives(account text) returns boolean language sql stable as $$
  select exists (select from accounts where id = account and disabled_at is null)
    and not exists (select from data_keys where scope = 'account:' || account and wrapped is null)
$$;

-- Uses refresh tokens up, each for its successor and the answer that hands it out, for many requests in one statement
-- and so in one transaction. One is rotated when its client is as it was known, its grant stands, both first uses of its
-- request are first and nobody has used it; of the others nothing is left behind, not even a first use, and somebody else
-- judges them. What another transaction holds at this moment is passed over and not waited for: a batch never stands in a
-- circle of locks. A token is locked where it is used up, and claims are looked through again only when one of the batch was
-- not rotated. The grants are held until the end, so that whoever revokes one finds the successor too.
create function rotate_refresh_tokens(
  for_tenants text[], for_ids text[], for_stamps text[], keep_until timestamptz, used_until timestamptz, items jsonb,
  out changed text[], out rotated text[]
) language plpgsql as $$
declare
  standing text[];
  claimed bytea[];
begin
  changed := changed_clients(for_tenants, for_ids, for_stamps);
  select coalesce(array_agg(g.grant_digest), '{}') into standing from (
    select grant_digest from oauth_grants
    where revoked_at is null and grant_digest = any (array(
      select i.grant_digest from jsonb_to_recordset(items) as i(client text, grant_digest text)
      where i.client <> all (changed)))
    for share skip locked) g;
  with first as (
    -- In one order, so that two batches with uses in common never wait for each other crosswise.
    insert into first_uses (key, until)
    select decode(use, 'hex'), keep_until
    from jsonb_to_recordset(items) as i(client text, grant_digest text, uses text[]), unnest(i.uses) as use
    where i.grant_digest = any (standing) and i.client <> all (changed) order by use
    on conflict do nothing returning key)
  select coalesce(array_agg(first.key), '{}') into claimed from first;
  with free as (
    select id_digest from oauth_artifacts
    where model = 'RefreshToken' and consumed_at is null and id_digest = any (array(
      select i.used from jsonb_to_recordset(items) as i(used text, client text, grant_digest text, uses text[])
      where i.grant_digest = any (standing) and i.client <> all (changed)
        and not exists (select from unnest(i.uses) as use where decode(use, 'hex') <> all (claimed))))
    for update skip locked),
  taken as (
    update oauth_artifacts set consumed_at = clock_timestamp(), answered_at = clock_timestamp(),
      expires_at = greatest(expires_at, used_until)
    -- By their digests, whatever the planner believes to know of a table that grows: never by a look at all of it.
    where model = 'RefreshToken' and id_digest = any (array(select free.id_digest from free))
    returning id_digest)
  select coalesce(array_agg(taken.id_digest), '{}') into rotated from taken;
  if cardinality(rotated) < jsonb_array_length(items) then
    delete from first_uses where key = any (array(
      select decode(use, 'hex') from jsonb_to_recordset(items) as i(used text, uses text[]), unnest(i.uses) as use
      where i.used <> all (rotated) and decode(use, 'hex') = any (claimed)));
  end if;
  insert into oauth_artifacts (model, id_digest, scope, sealed, grant_digest, uid_digest, expires_at)
  select made.model, made.id_digest, i.scope, decode(made.sealed, 'base64'), i.grant_digest, made.uid_digest, made.expires_at
  from jsonb_to_recordset(items) as i(used text, scope text, grant_digest text, successor_uid text,
      successor text, successor_sealed text, successor_expires timestamptz, answer_sealed text, answer_expires timestamptz),
    lateral (values
      ('RefreshToken', i.successor, i.successor_sealed, i.successor_uid, i.successor_expires),
      ('RefreshAnswer', i.used, i.answer_sealed, null, i.answer_expires))
      as made(model, id_digest, sealed, uid_digest, expires_at)
  where i.used = any (rotated);
end $$;
revoke all on function account_lives(text),
  rotate_refresh_tokens(text[], text[], text[], timestamptz, timestamptz, jsonb) from public;
grant execute on function account_lives(text),
  rotate_refresh_tokens(text[], text[], text[], timestamptz, timestamptz, jsonb) to :"app";
