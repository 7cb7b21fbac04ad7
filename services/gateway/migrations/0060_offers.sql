-- Merchants and what they have for sale, as the API says it. What the offers file says stands beside it, and goes first.
create table merchants (
  tenant_id text not null collate "C",
  id text not null collate "C",
  -- One origin belongs to one merchant, whoever owns it.
  origin text not null collate "C",
  client_id text not null collate "C",
  -- Private keys, and the secrets of the accounts in which money arrives.
  sealed bytea not null,
  -- Rises with each change: who has read this one need not open it again.
  generation bigint not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  unique (id),
  constraint merchants_origin unique (origin)
);
call remit_tenant_table('merchants');
grant select, insert, update, delete on merchants to :"app";
-- Every process sells for all tenants. It sees where merchants are, and opens their secrets under their own tenant.
create policy selling on merchants for select to :"relay" using (true);
grant select (tenant_id, id, origin, client_id, generation) on merchants to :"relay";

create table offers (
  tenant_id text not null collate "C",
  id text not null collate "C",
  name text not null collate "C",
  -- In the table above or in the offers file.
  merchant_id text not null collate "C",
  source text not null check (source in ('api', 'kubernetes')),
  -- Upstream, prices, route table: what everybody may know.
  spec jsonb not null,
  -- Nothing is sold from then on.
  drained_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  unique (id),
  constraint offers_name unique (tenant_id, merchant_id, name)
);
call remit_tenant_table('offers');
grant select, insert, update, delete on offers to :"app";
create policy selling on offers for select to :"relay" using (true);
grant select on offers to :"relay";

-- What each route has sold, counted as it is captured. Sixteen rows each, so that buyers do not wait for one another.
create table sales (
  tenant_id text not null collate "C",
  route_id text not null collate "C",
  currency text not null,
  shard smallint not null,
  payments bigint not null,
  amount_minor bigint not null,
  primary key (tenant_id, route_id, currency, shard)
);
call remit_tenant_table('sales');
grant select, insert, update on sales to :"app";

create function count_sale() returns trigger language plpgsql as $$
begin
  insert into sales (tenant_id, route_id, currency, shard, payments, amount_minor)
    values (new.tenant_id, new.route_id, new.currency, floor(random() * 16), 1, new.amount_minor)
  on conflict (tenant_id, route_id, currency, shard)
    do update set payments = sales.payments + 1, amount_minor = sales.amount_minor + excluded.amount_minor;
  return null;
end $$;
create trigger count_sale after update of state on claims
  for each row when (new.state = 'captured' and old.state <> 'captured') execute function count_sale();

create index claims_sold on claims (tenant_id, route_id, updated_at desc) where state = 'captured';
