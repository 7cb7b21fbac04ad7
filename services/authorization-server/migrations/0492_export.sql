-- Opens the portal `export` on the rows of one tenant table, as they are at this moment: every column but those of bytes,
-- which hold digests and ciphertext. It runs with the rights of its caller, whose tenant is all that it sees, and opens no
-- table that row-level security does not hold.
create function open_export(name text) returns void language plpgsql as $$
declare
  hidden text[];
  portal refcursor := 'export';
begin
  perform from pg_class where oid = to_regclass(quote_ident(name)) and relrowsecurity and relforcerowsecurity;
  if not found then raise exception 'no tenant table %', name using errcode = 'undefined_table'; end if;
  select array_agg(attname::text) into hidden from pg_attribute
    where attrelid = to_regclass(quote_ident(name)) and attnum > 0 and not attisdropped and atttypid = 'bytea'::regtype;
  open portal for execute format('select (to_jsonb(t) - %L::text[])::text as row from %I t',
    coalesce(hidden, '{}') || '{tenant_id}', name);
end $$;
