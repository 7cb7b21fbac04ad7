-- Merchants are public: everybody reads those that are verified. A tenant also sees its own provisional ones, and writes
-- its own alone.
create table merchants (
  tenant_id text not null collate "C",
  id text not null collate "C",
  display_name text not null,
  origin text not null collate "C",
  client_id text not null collate "C",
  jwks_uri text not null,
  -- The pinned copy: what offers are verified with, whatever the origin serves today.
  jwks jsonb not null,
  -- Keys that share none with the pinned ones wait here for the notice period.
  jwks_pending jsonb,
  jwks_pending_since timestamptz,
  catalogue_uri text,
  country text not null,
  currencies text[] not null,
  categories text[] not null,
  rails text[] not null,
  verification_status text not null check (verification_status in ('provisional', 'verified')),
  verified_at timestamptz,
  checked_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  unique (id),
  unique (tenant_id, origin),
  check ((verification_status = 'verified') = (verified_at is not null))
);

-- One origin belongs to one merchant. Claims that were never proven do not keep the owner out.
create unique index merchants_origin on merchants (origin) where verification_status = 'verified';
create index merchants_client on merchants (client_id);

alter table merchants enable row level security;
alter table merchants force row level security;
create policy everybody_reads on merchants for select using (
  verification_status = 'verified' or tenant_id = nullif(current_setting('remit.tenant', true), '')
);
create policy tenant_inserts on merchants for insert
  with check (tenant_id = nullif(current_setting('remit.tenant', true), ''));
create policy tenant_updates on merchants for update
  using (tenant_id = nullif(current_setting('remit.tenant', true), ''))
  with check (tenant_id = nullif(current_setting('remit.tenant', true), ''));
grant select, insert, update on merchants to :"app";
