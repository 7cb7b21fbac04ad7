import type { TestDatabase } from "./database.ts";

/**
 * Foreign keys that a database which has just been made would check by walking an index over many rows instead of by a key,
 * each as a sentence. As long as a table was never analysed, all of its indexes look alike to the planner, and a plan that a
 * connection has made stays until then: what a row costs must not grow with the rows of its organization.
 */
export async function checkKeys(database: TestDatabase): Promise<string[]> {
  await database.asAdmin(plansOfKeys);
  const found = await database.asAdmin<{ key: string; index: string | null; fits: boolean }>(
    `select key, index, coalesce((select bool_and(a.attname = any(columns)) from pg_index i
         join pg_attribute a on a.attrelid = i.indexrelid
         where i.indexrelid = to_regclass(index)), false) as fits
     from plans_of_keys() order by key`,
  );
  return found
    .filter(({ fits }) => !fits)
    .map(({ key, index }) => `${key} is checked by ${index ?? "reading the whole table"}`);
}

/** What PostgreSQL asks when it checks one (ri_triggers.c), and the index that a plan for any values would use. */
const plansOfKeys = `create function plans_of_keys() returns table (key text, index text, columns name[]) language plpgsql
set plan_cache_mode = force_generic_plan as $$
declare
  one record;
  plan json;
begin
  for one in
    select c.conrelid::regclass::text || ' -> ' || c.confrelid::regclass::text as key, c.confrelid::regclass as target,
      array_agg(a.attname order by k.place) as columns, array_agg(format_type(a.atttypid, null) order by k.place) as types
    from pg_constraint c, unnest(c.confkey) with ordinality k(attribute, place), pg_attribute a
    where c.contype = 'f' and c.connamespace = current_schema()::regnamespace and a.attrelid = c.confrelid
      and a.attnum = k.attribute
    group by c.oid, c.conrelid, c.confrelid
  loop
    execute format('prepare check_of_key (%s) as select 1 from only %s x where %s for key share of x',
      array_to_string(one.types, ', '), one.target,
      (select string_agg(format('%I = $%s', name, place), ' and ') from unnest(one.columns) with ordinality u(name, place)));
    execute format('explain (format json) execute check_of_key (%s)', array_to_string(array_fill('null'::text, array[cardinality(one.types)]), ', '))
      into plan;
    deallocate check_of_key;
    key := one.key;
    columns := one.columns;
    index := plan #>> '{0,Plan,Plans,0,Index Name}';
    return next;
  end loop;
end $$`;
