-- What we move ourselves between a merchant's account at Stripe and our balance, after the capture: taken `back` while a dispute
-- has it, or sent `on` once that was won. Written before Stripe is asked. In the tenant of the merchant.
create table transfers (
  tenant_id text not null collate "C",
  id text not null collate "C",
  -- The dispute or the refund that wants it, and its name at Stripe.
  about text not null collate "C",
  about_reference text not null collate "C",
  ordinal integer not null check (ordinal > 0),
  way text not null collate "C" check (way in ('back', 'on')),
  payment_id text not null collate "C",
  -- The payment's name at Stripe, and the account that it went on to.
  payment_reference text not null collate "C",
  destination text not null collate "C",
  charge_id text not null collate "C",
  merchant_id text not null collate "C",
  currency text not null collate "C",
  amount_minor bigint not null check (amount_minor > 0),
  state text not null collate "C" check (state in ('sending', 'sent', 'dropped')),
  -- Nobody wants it any more: it ends should Stripe refuse it.
  unwanted boolean not null default false,
  -- Rises when a read has shown that the attempt before moved nothing.
  attempt integer not null default 1 check (attempt > 0),
  -- When this attempt was asked for first; null before.
  asked_at timestamptz,
  -- The transfer at Stripe that is reversed; chosen before it is asked for.
  source text collate "C",
  -- What Stripe calls it, once it is there.
  reference text collate "C",
  booked boolean not null default false,
  created_at timestamptz not null,
  primary key (tenant_id, id),
  unique (id),
  unique (about, ordinal),
  unique (reference),
  check ((state = 'sent') = (reference is not null)),
  check (asked_at is null or way = 'on' or source is not null)
);
create unique index transfers_running on transfers (about) where state = 'sending';
create index transfers_payment on transfers (tenant_id, payment_id);
call remit_tenant_table('transfers');
call remit_lookup('transfers_of_payment', 'transfers', 'payment_id');
grant select, insert, update on transfers to :"app";

-- Where a dispute's payment went on to; null where the money stayed with us.
alter table disputes add column destination text collate "C";

-- Whether Stripe takes the money of a refund back from the merchant's account itself, which it does of its own transfer alone.
alter table refunds add column takes_back boolean not null default true;

alter table reconciliation_cases drop constraint reconciliation_cases_kind_check;
alter table reconciliation_cases add check (kind in ('missing_here', 'missing_there', 'other_amount', 'other_fee', 'waits',
  'refund_failed', 'transfer_refused'));
