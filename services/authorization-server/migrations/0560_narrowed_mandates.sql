-- What was consented to never changes; what a principal has narrowed since stands beside it and is what counts.
alter table mandates
  add column narrowed jsonb,
  add column narrowed_until timestamptz,
  add column narrowed_at timestamptz,
  add check (num_nulls(narrowed, narrowed_until, narrowed_at) in (0, 3)),
  add check (narrowed_until <= expires_at);

-- The cap that was asked for while more than it was held or spent: the budget falls to it as holds are released.
alter table mandate_budgets add column asked numeric(30, 0) check (asked > 0);

-- A narrower limit is never widened again.
create function mandates_only_narrow() returns trigger language plpgsql as $$
begin
  if old.narrowed_until is not null
     and (new.narrowed_until is null or new.narrowed_until > old.narrowed_until) then
    raise exception 'what was narrowed stays narrow' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger mandates_only_narrow before update on mandates
  for each row execute function mandates_only_narrow();
