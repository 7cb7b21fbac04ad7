-- Disputes of the card network, each read from Stripe whenever news of it comes. In the tenant of the merchant, which bears them.
create table disputes (
  tenant_id text not null collate "C",
  id text not null collate "C",
  -- Stripe's name for it.
  reference text not null collate "C",
  payment_id text not null collate "C",
  charge_id text not null collate "C",
  payer_id text not null collate "C",
  merchant_id text not null collate "C",
  -- Stripe's own word; null before the first look.
  status text collate "C",
  reason text,
  amount_minor bigint check (amount_minor > 0),
  currency text collate "C",
  respond_by timestamptz,
  opened_at timestamptz not null,
  -- How often its amount was set aside from the merchant, and given back: at most one is outstanding.
  set_aside integer not null default 0,
  returned integer not null default 0,
  -- Looks at Stripe are numbered as they begin; `looked` is the one that was written last. An earlier one writes nothing any more.
  look integer not null default 0,
  looked integer not null default 0,
  primary key (tenant_id, id),
  unique (id),
  unique (reference),
  check (looked <= look),
  check (returned <= set_aside and set_aside <= returned + 1),
  check (status is null or (amount_minor is not null and currency is not null and reason is not null))
);
call remit_tenant_table('disputes');
create index disputes_of_merchant on disputes (tenant_id, merchant_id, id);
call remit_lookup('dispute', 'disputes', 'id');
call remit_lookup('dispute_reference', 'disputes', 'reference');
grant select, insert, update on disputes to :"app";
