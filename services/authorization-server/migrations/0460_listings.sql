-- What the directory is told, of agents (`agt_…`) and of their tenants (`org_…`): how new the last word was, and by which
-- key the card in it is signed. Ids and digests alone: the table is read across tenants.
create table listings (
  subject text primary key collate "C",
  tenant_id text not null collate "C",
  revision bigint not null,
  -- Null while the directory shows nothing of it.
  kid text collate "C",
  told_at timestamptz
);
grant select, insert, update on listings to :"app";
create index listings_shown on listings (told_at) where kid is not null;
create index listings_of_tenant on listings (tenant_id) where kid is not null;

-- Who is public already is told of.
alter table agents no force row level security;
insert into jobs (id, queue, key, payload, run_at)
  select 'job_' || substr(id, 5), 'listings', id, jsonb_build_object('tenant', tenant_id, 'agent', id), 'epoch'
  from agents where is_public
  on conflict do nothing;
alter table agents force row level security;
