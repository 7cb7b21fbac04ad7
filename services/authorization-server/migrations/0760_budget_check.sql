-- Whether budgets are what the holds say: every write asserts that a budget is kept (I2), this reads it from the other side.
-- A page of budgets at a time; a cursor past all of them gives no row.
grant select (tenant_id, mandate_id, held, spent) on mandate_budgets to :"lookup";
grant select (tenant_id, charge_id, mandate_id, state, amount, captured, refunded) on mandate_holds to :"lookup";
grant select (tenant_id, charge_id, mandate_id) on mandate_hold_links to :"lookup";
create policy budget_check on mandate_budgets for select to :"lookup" using (true);
create policy budget_check on mandate_holds for select to :"lookup" using (true);
create policy budget_check on mandate_hold_links for select to :"lookup" using (true);

grant create on schema :"schema" to :"lookup";
create function mandate_budgets_check(after_tenant text, after_mandate text, page integer)
returns table (tenant_id text, mandate_id text, drifted boolean)
language sql stable security definer set search_path = :"schema", pg_temp as $$
  with budgets as (
    select b.tenant_id, b.mandate_id, b.held, b.spent from mandate_budgets b
    where (b.tenant_id, b.mandate_id) > (after_tenant collate "C", after_mandate collate "C")
    order by b.tenant_id, b.mandate_id limit page
  ), holds as (
    select h.tenant_id, h.mandate_id, h.state, h.amount, h.captured, h.refunded
    from budgets b join mandate_holds h on h.tenant_id = b.tenant_id and h.mandate_id = b.mandate_id
    union all
    select l.tenant_id, l.mandate_id, h.state, h.amount, h.captured, h.refunded
    from budgets b join mandate_hold_links l on l.tenant_id = b.tenant_id and l.mandate_id = b.mandate_id
    join mandate_holds h on h.tenant_id = l.tenant_id and h.charge_id = l.charge_id
  ), sums as (
    select h.tenant_id, h.mandate_id, sum(h.amount) filter (where h.state = 'held') as held,
      sum(h.captured - h.refunded) as spent
    from holds h group by h.tenant_id, h.mandate_id
  )
  select b.tenant_id, b.mandate_id, b.held <> coalesce(s.held, 0) or b.spent <> coalesce(s.spent, 0)
  from budgets b left join sums s on s.tenant_id = b.tenant_id and s.mandate_id = b.mandate_id
  order by b.tenant_id, b.mandate_id
$$;
revoke all on function mandate_budgets_check(text, text, integer) from public;
grant execute on function mandate_budgets_check(text, text, integer) to :"app";
alter function mandate_budgets_check(text, text, integer) owner to :"lookup";
revoke create on schema :"schema" from :"lookup";
