-- What a seller gives back of what was paid without a mandate. The sum of a payment's refunds is kept on the payment, so that
-- the database refuses what would be more than was paid, however many ask at once.
alter table claims
  -- The connected account that a card's payment was passed on to, if it was.
  add column account text collate "C",
  add column refunded_minor bigint not null default 0,
  add constraint claims_refunded check (refunded_minor between 0 and coalesce(captured_minor, amount_minor));

create table refunds (
  tenant_id text not null collate "C",
  -- Also the key under which the provider is asked.
  id text not null collate "C",
  claim_id text not null collate "C",
  amount_minor bigint not null check (amount_minor > 0),
  -- unsigned: the seller's wallet has to sign first. sending: it is being given back, or nobody knows yet.
  state text not null check (state in ('unsigned', 'sending', 'refunded', 'refused')),
  attempt integer not null default 1,
  -- Of a transfer back: all that is signed (EIP-3009), and the signature once there is one.
  transfer jsonb,
  signature text,
  -- The provider's refund, or the transaction that moved the money.
  reference text collate "C",
  because text,
  generation integer not null default 1,
  worker text not null collate "C",
  boot text not null collate "C",
  leased_until timestamptz not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, claim_id) references claims (tenant_id, id),
  check (state <> 'refunded' or reference is not null)
);
create index refunds_claim on refunds (tenant_id, claim_id);
create index refunds_open on refunds (leased_until) where state in ('unsigned', 'sending');
call remit_tenant_table('refunds');
grant select, insert, update on refunds to :"app";
grant select (tenant_id, id, state, worker, boot, leased_until) on refunds to :"relay";
create policy open on refunds for select to :"relay" using (state in ('unsigned', 'sending'));
