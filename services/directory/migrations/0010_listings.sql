-- What the authorization server has told of public agents. A row stays when an agent may be listed no more, without what
-- was told: its revision keeps an older word from bringing it back.
create table publishers (
  tenant_id text primary key collate "C",
  revision bigint not null,
  standing text not null check (standing in ('active', 'suspended', 'erased'))
);
call remit_tenant_table('publishers');
grant select, insert, update on publishers to :"app";

create table listings (
  tenant_id text not null collate "C",
  agent_id text primary key collate "C",
  revision bigint not null,
  listed boolean not null,
  publisher_active boolean not null,
  name text,
  agent_type text collate "C",
  version text,
  capabilities text[] not null default '{}',
  deployment_env text collate "C",
  provider text,
  did text,
  did_document jsonb,
  card jsonb,
  published_at timestamptz,
  updated_at timestamptz not null,
  -- The operator's word, which outlives every word of the publisher.
  hidden_at timestamptz,
  hidden_reason text,
  check (not listed or (name is not null and agent_type is not null and version is not null
    and deployment_env is not null and did is not null and did_document is not null and card is not null
    and published_at is not null)),
  check ((hidden_at is null) = (hidden_reason is null))
);
-- Everybody sees what is listed, of a publisher that may act, and not hidden; a tenant also its own rows, and writes its own alone.
alter table listings enable row level security;
alter table listings force row level security;
create policy everybody_reads on listings for select using (
  (listed and publisher_active and hidden_at is null) or tenant_id = nullif(current_setting('remit.tenant', true), '')
);
create policy tenant_inserts on listings for insert
  with check (tenant_id = nullif(current_setting('remit.tenant', true), ''));
create policy tenant_updates on listings for update
  using (tenant_id = nullif(current_setting('remit.tenant', true), ''))
  with check (tenant_id = nullif(current_setting('remit.tenant', true), ''));
grant select, insert, update on listings to :"app";
call remit_lookup('listing', 'listings', 'agent_id');

create index listings_seen on listings (agent_id desc) where listed and publisher_active and hidden_at is null;
create index listings_seen_by_type on listings (agent_type, agent_id desc) where listed and publisher_active and hidden_at is null;
create index listings_seen_by_env on listings (deployment_env, agent_id desc) where listed and publisher_active and hidden_at is null;
create index listings_of_publisher on listings (tenant_id);

-- What a listing is found by: words in lower case, and each capability whole after a '='.
create table listing_words (
  tenant_id text not null collate "C",
  word text not null collate "C",
  agent_id text not null collate "C" references listings (agent_id),
  primary key (word, agent_id)
);
alter table listing_words enable row level security;
alter table listing_words force row level security;
create policy everybody_reads on listing_words for select using (true);
create policy tenant_inserts on listing_words for insert
  with check (tenant_id = nullif(current_setting('remit.tenant', true), ''));
create policy tenant_deletes on listing_words for delete
  using (tenant_id = nullif(current_setting('remit.tenant', true), ''));
grant select, insert, delete on listing_words to :"app";
create index listing_words_of on listing_words (agent_id);
