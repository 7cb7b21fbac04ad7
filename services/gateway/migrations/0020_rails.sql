-- A purchase is paid under a mandate, by card or by a stablecoin. Without a mandate the row itself is the truth of the
-- payment: what was asked for, under which key, and what came of it.
alter table claims
  add column rail text not null default 'mandate' collate "C" check (rail in ('mandate', 'card', 'x402')),
  -- The provider's id of the payment: a PaymentIntent, or network/asset/from/nonce of an authorization.
  add column reference text collate "C",
  -- With the claim's id it makes every idempotency key; it rises when a released credential tries again.
  add column attempt integer not null default 1 check (attempt > 0),
  add column attempted_at timestamptz not null default now(),
  -- The challenge that was answered (MPP): good for one credential.
  add column challenge_id text collate "C",
  -- Thumbprint of the key that the first request proved to hold, if it did.
  add column holder text collate "C",
  -- What the chain or the card network calls the movement of the money.
  add column settlement text collate "C",
  -- Paid before it is served: from here on the goods are owed.
  add column paid_at timestamptz;
alter table claims drop constraint claims_state_check;
alter table claims add constraint claims_state_check
  check (state in ('claimed', 'serving', 'capturing', 'captured', 'releasing', 'released', 'owed'));
alter table claims drop constraint claims_check;
alter table claims add constraint claims_payment
  check (state in ('claimed', 'releasing', 'released') or charge_id is not null or reference is not null);
-- One payment is one purchase, whoever of all tenants is shown it first.
create unique index claims_payment_once on claims (credential) where rail <> 'mandate';
create unique index claims_challenge_once on claims (tenant_id, challenge_id) where challenge_id is not null;
