-- The truth of a charge, in the payer's tenant. Each change is one conditional UPDATE on (state, generation).
create table charges (
  tenant_id text not null collate "C",
  id text not null collate "C",
  mandate_id text not null collate "C",
  agent_id text not null collate "C",
  merchant_id text not null collate "C",
  merchant_tenant_id text not null collate "C",
  merchant_client_id text not null collate "C",
  merchant_origin text not null,
  state text not null check (state in ('authorizing', 'authorized', 'committed', 'capturing', 'captured',
    'refunding', 'refunded', 'releasing', 'released', 'declined')),
  generation integer not null default 1 check (generation > 0),
  capture_mode text not null check (capture_mode in ('automatic', 'manual')),
  commits boolean not null,
  amount_minor bigint not null check (amount_minor between 1 and 9007199254740991),
  capture_minor bigint check (capture_minor between 1 and amount_minor),
  refunded_minor bigint not null default 0 check (refunded_minor >= 0 and refunded_minor <= coalesce(capture_minor, 0)),
  refunding_minor bigint check (refunding_minor > 0),
  refund_id text collate "C",
  currency text not null,
  rail text not null,
  instrument_id text collate "C",
  payment_id text collate "C",
  payment_reference text,
  because text,
  offer_evidence text not null,
  offer_key jsonb not null,
  offer_digest text not null,
  offer_id text not null,
  mandate_hash text not null,
  presentation_hash text not null,
  -- The claims of the agent's token, which say whether it was revoked since. Never the token itself.
  token jsonb not null,
  response_digest text,
  request_digest text,
  -- What is about to be sent to billing, written before it is sent.
  intent text check (intent in ('hold', 'capture', 'release', 'refund')),
  serve_by timestamptz not null,
  capture_by timestamptz not null,
  created_at timestamptz not null,
  authorized_at timestamptz,
  committed_at timestamptz,
  captured_at timestamptz,
  ended_at timestamptz,
  receipt_id text collate "C",
  livemode boolean not null,
  primary key (tenant_id, id),
  unique (id),
  foreign key (tenant_id, mandate_id) references mandates (tenant_id, id),
  -- Deferred: the hold is taken last, so that the budget's row is locked for the shortest time.
  foreign key (tenant_id, id) references mandate_holds (tenant_id, charge_id) deferrable initially deferred,
  check (serve_by > created_at and capture_by >= serve_by),
  check ((state in ('captured', 'refunding', 'refunded')) = (captured_at is not null)),
  check ((refund_id is null) = (refunding_minor is null)),
  check (state <> 'refunding' or refund_id is not null)
);
call remit_tenant_table('charges');
call remit_lookup('charge', 'charges', 'id');
create index charges_of_mandate on charges (tenant_id, mandate_id, id);
create index charges_of_agent on charges (tenant_id, agent_id, id);
create index charges_bought_at on charges (tenant_id, mandate_id, merchant_id) where captured_at is not null;
grant select, insert, update on charges to :"app";

-- The way a charge's state may go, whoever asks; the operations decide, this refuses a slip of theirs.
create function charges_way() returns trigger language plpgsql as $$
begin
  if new.state <> old.state and (old.state || '>' || new.state) not in (
    'authorizing>authorized', 'authorizing>declined', 'authorizing>releasing',
    'authorized>committed', 'authorized>capturing', 'authorized>releasing',
    'committed>capturing', 'committed>releasing',
    'capturing>captured', 'capturing>releasing',
    'captured>refunding', 'refunding>refunded', 'refunding>captured',
    'releasing>released') then
    raise exception 'a charge does not go from % to %', old.state, new.state using errcode = 'restrict_violation';
  end if;
  if (new.amount_minor, new.currency, new.mandate_id, new.merchant_id, new.offer_digest, new.presentation_hash)
     is distinct from
     (old.amount_minor, old.currency, old.mandate_id, old.merchant_id, old.offer_digest, old.presentation_hash) then
    raise exception 'what a charge is for does not change' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger charges_way before update on charges for each row execute function charges_way();

-- The payee's columns of the same charge, in the payee's tenant, written in the same transaction.
create table merchant_charges (
  tenant_id text not null collate "C",
  id text not null collate "C",
  merchant_id text not null collate "C",
  client_id text not null collate "C",
  mandate_id text not null collate "C",
  agent_id text not null collate "C",
  state text not null,
  generation integer not null,
  amount_minor bigint not null,
  captured_minor bigint not null default 0,
  refunded_minor bigint not null default 0,
  currency text not null,
  rail text not null,
  payment_reference text,
  because text,
  offer_id text not null,
  offer_digest text not null,
  serve_by timestamptz not null,
  capture_by timestamptz not null,
  created_at timestamptz not null,
  captured_at timestamptz,
  receipt_id text collate "C",
  livemode boolean not null,
  primary key (tenant_id, id),
  unique (id)
);
call remit_tenant_table('merchant_charges');
create index merchant_charges_of_client on merchant_charges (tenant_id, client_id, id);
grant select, insert, update on merchant_charges to :"app";

-- One presentation makes at most one charge, by parsed claims: (mandate, agent key, merchant, KB nonce).
create table presentation_claims (
  tenant_id text not null collate "C",
  mandate_id text not null collate "C",
  agent_thumbprint text not null,
  merchant_id text not null collate "C",
  kb_nonce text not null,
  charge_id text not null collate "C",
  offer_digest text not null,
  expires_at timestamptz not null,
  primary key (tenant_id, mandate_id, agent_thumbprint, merchant_id, kb_nonce)
);
call remit_tenant_table('presentation_claims');
create index presentation_claims_over on presentation_claims (tenant_id, expires_at);
grant select, insert, delete on presentation_claims to :"app";

-- Each request to refund once, by the caller's Idempotency-Key: a retry after a crash must find its refund, not make one.
create table charge_refunds (
  tenant_id text not null collate "C",
  id text not null collate "C",
  charge_id text not null collate "C",
  request_key text not null,
  -- What the caller named; null when it asked for all that was left.
  wanted_minor bigint,
  amount_minor bigint not null check (amount_minor > 0),
  asked_at timestamptz not null,
  done_at timestamptz,
  -- Why nothing was given back.
  refused_because text,
  primary key (tenant_id, id),
  unique (tenant_id, charge_id, request_key),
  foreign key (tenant_id, charge_id) references charges (tenant_id, id),
  check (wanted_minor = amount_minor),
  check (refused_because is null or done_at is not null)
);
call remit_tenant_table('charge_refunds');
grant select, insert, update on charge_refunds to :"app";
