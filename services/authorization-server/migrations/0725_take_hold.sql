-- A hold with the commit that it belongs to: takes amount and one use if there is room, and fails where there is none, since
-- nobody is there to read how it went. Runs with the rights of its caller, in the tenant that is entered.
create function take_hold(tenant text, mandate text, charge text, wanted numeric, merchant text, category text)
returns void language plpgsql as $$
begin
  update mandate_budgets set held = held + wanted, uses = uses + 1
  where mandate_id = mandate and held + spent + wanted <= cap and (uses_max is null or uses < uses_max);
  if not found then
    raise exception 'the budget has no room' using errcode = 'check_violation', constraint = 'mandate_budgets_room';
  end if;
  insert into mandate_holds (tenant_id, charge_id, mandate_id, amount, windows, merchant_id, category)
  values (tenant, charge, mandate, wanted, '[]'::jsonb, merchant, take_hold.category);
end $$;

revoke all on function take_hold(text, text, text, numeric, text, text) from public;
grant execute on function take_hold(text, text, text, numeric, text, text) to :"app";
