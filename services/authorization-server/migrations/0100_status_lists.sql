-- One table of states feeds every published list. Entries name no mandate and no tenant: mandates of all tenants
-- share a list at random places, so that a published bit says nothing about its neighbours.
create table status_lists (
  id integer primary key check (id > 0),
  size integer not null check (size >= 131072),
  version bigint not null default 1
);

create table status_entries (
  list_id integer not null references status_lists (id),
  place integer not null check (place >= 0),
  state smallint not null default 0 check (state in (0, 1, 2)),
  primary key (list_id, place)
);

create index status_entries_told on status_entries (list_id, place) where state <> 0;

-- A state that is told can rise to 1 (invalid) for good; 2 (suspended) may go back to 0.
create function status_entries_final() returns trigger language plpgsql as $$
begin
  if old.state = 1 and new.state <> 1 then
    raise exception 'an invalid entry stays invalid' using errcode = 'restrict_violation';
  end if;
  if new.list_id <> old.list_id or new.place <> old.place then
    raise exception 'an entry keeps its place' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;

create trigger status_entries_final before update on status_entries
  for each row execute function status_entries_final();

insert into status_lists (id, size) values (1, 131072);

grant select, insert, update on status_lists, status_entries to :"app";
