-- A mandate that an agent handed on is its parent's child, in the same principal's tenant. `ancestors` are all above it, the
-- root first; none of this ever changes.
alter table mandates
  add column parent_id text collate "C",
  add column ancestors text[] collate "C" not null default '{}',
  -- One above it is suspended, or frozen: as a suspended one until that is lifted.
  add column held_back boolean not null default false,
  add foreign key (tenant_id, parent_id) references mandates (tenant_id, id),
  add check ((parent_id is null) = (cardinality(ancestors) = 0)),
  add check (parent_id is null or parent_id = ancestors[cardinality(ancestors)]),
  add check (cardinality(ancestors) <= 8);
create index mandates_below on mandates (tenant_id, (ancestors[1])) where parent_id is not null;

create function mandates_keep_place() returns trigger language plpgsql as $$
begin
  if (new.parent_id, new.ancestors) is distinct from (old.parent_id, old.ancestors) then
    raise exception 'a mandate keeps its place in its chain' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger mandates_keep_place before update of parent_id, ancestors on mandates
  for each row execute function mandates_keep_place();

-- What a charge keeps of the budgets above its own mandate: the same amount, whose fate the hold itself tells.
create table mandate_hold_links (
  tenant_id text not null collate "C",
  charge_id text not null collate "C",
  mandate_id text not null collate "C",
  depth smallint not null check (depth between 0 and 7),
  windows jsonb not null,
  primary key (tenant_id, charge_id, depth),
  unique (tenant_id, charge_id, mandate_id),
  foreign key (tenant_id, charge_id) references mandate_holds (tenant_id, charge_id),
  foreign key (tenant_id, mandate_id) references mandates (tenant_id, id)
);
call remit_tenant_table('mandate_hold_links');
create index mandate_hold_links_of_mandate on mandate_hold_links (tenant_id, mandate_id, charge_id);
grant select, insert on mandate_hold_links to :"app";
