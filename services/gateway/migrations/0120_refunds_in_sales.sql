-- What has been given back of each route's sales, counted as it is given: what a seller has earned is what is left.
alter table sales add column refunded_minor bigint not null default 0;

update sales set refunded_minor = given.minor
from (
  select c.tenant_id, c.route_id, c.currency, sum(r.amount_minor)::bigint as minor,
    (select min(s.shard) from sales s
      where s.tenant_id = c.tenant_id and s.route_id = c.route_id and s.currency = c.currency) as shard
  from refunds r join claims c on c.tenant_id = r.tenant_id and c.id = r.claim_id
  where r.state = 'refunded' group by c.tenant_id, c.route_id, c.currency
) given
where sales.tenant_id = given.tenant_id and sales.route_id = given.route_id and sales.currency = given.currency
  and sales.shard = given.shard;

create function count_refund() returns trigger language plpgsql as $$
begin
  insert into sales (tenant_id, route_id, currency, shard, payments, amount_minor, refunded_minor)
    select c.tenant_id, c.route_id, c.currency, floor(random() * 16), 0, 0, new.amount_minor
    from claims c where c.tenant_id = new.tenant_id and c.id = new.claim_id
  on conflict (tenant_id, route_id, currency, shard)
    do update set refunded_minor = sales.refunded_minor + excluded.refunded_minor;
  return null;
end $$;
create trigger count_refund after update of state on refunds
  for each row when (new.state = 'refunded' and old.state <> 'refunded') execute function count_refund();
