-- As before (0492), and without the digests that are text: what proves a secret, or stands for a cookie, a link or an address
-- that somebody could guess, is of no use to the organization and of some to whoever finds its archive.
create or replace function open_export(name text) returns void language plpgsql as $$
declare
  hidden text[];
  credentials text := '';
  portal refcursor := 'export';
begin
  perform from pg_class where oid = to_regclass(quote_ident(name)) and relrowsecurity and relforcerowsecurity;
  if not found then raise exception 'no tenant table %', name using errcode = 'undefined_table'; end if;
  select array_agg(attname::text) into hidden from pg_attribute
    where attrelid = to_regclass(quote_ident(name)) and attnum > 0 and not attisdropped
      and (atttypid = 'bytea'::regtype or attname::text ~ '(^|_)digest$');
  -- What an agent proves itself by is kept a second time in the row that is read to authenticate it.
  if name = 'clients' then
    credentials := ' || jsonb_build_object(''credentials'', (
      select coalesce(jsonb_agg(c.one - ''digest'' order by c.place), ''[]'')
      from jsonb_array_elements(t.credentials) with ordinality as c(one, place)))';
  end if;
  open portal for execute format('select (to_jsonb(t) - %L::text[]%s)::text as row from %I t',
    coalesce(hidden, '{}') || '{tenant_id}', credentials, name);
end $$;
