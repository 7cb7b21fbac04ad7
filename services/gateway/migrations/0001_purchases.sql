-- One row per payment credential, written before any money is asked for: whatever happens to the process, the row says
-- what was about to be sent and under which key, so that it can be finished.
create table claims (
  tenant_id text not null collate "C",
  id text not null collate "C",
  -- Digest of the parsed values that make a credential one credential: mandate, agent's key, merchant, nonce.
  credential text not null collate "C",
  -- Digest of the credential as it came: who has these bytes is who paid.
  presentation text not null collate "C",
  -- Digest of method, address and body.
  request text not null collate "C",
  merchant_id text not null collate "C",
  route_id text not null collate "C",
  agent text not null collate "C",
  payer text not null collate "C",
  idempotency_key text collate "C",
  state text not null check (
    state in ('claimed', 'serving', 'capturing', 'captured', 'releasing', 'released')
  ),
  -- Rises with each take-over: whoever had the claim before cannot move it any more.
  generation integer not null,
  -- The process that works on it; another one takes over once the lease has ended.
  worker text not null collate "C",
  boot text not null collate "C",
  leased_until timestamptz not null,
  -- What was sent to the charge API, encrypted; gone once the claim has ended.
  sealed_order bytea,
  charge_id text collate "C",
  amount_minor bigint not null,
  currency text not null,
  receipt text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  unique (tenant_id, credential),
  check (state in ('claimed', 'releasing', 'released') or charge_id is not null),
  check (state not in ('captured', 'released') or sealed_order is null)
);
create unique index claims_idempotency on claims (tenant_id, agent, idempotency_key)
  where idempotency_key is not null and state <> 'released';
create index claims_presentation on claims (tenant_id, presentation);
create index claims_open on claims (leased_until) where state not in ('captured', 'released');
call remit_tenant_table('claims');
grant select, insert, update, delete on claims to :"app";
-- The sweeper sees where open claims are, of all tenants; it works on each under its own tenant.
grant select (tenant_id, id, state, worker, boot, leased_until) on claims to :"relay";
create policy open on claims for select to :"relay" using (state not in ('captured', 'released'));

-- The paid answers, encrypted, until their day has passed.
create table responses (
  tenant_id text not null collate "C",
  claim_id text not null collate "C",
  sealed bytea not null,
  keep_until timestamptz not null,
  primary key (tenant_id, claim_id),
  foreign key (tenant_id, claim_id) references claims (tenant_id, id) on delete cascade
);
create index responses_expired on responses (keep_until);
call remit_tenant_table('responses');
grant select, insert, delete on responses to :"app";
grant select (tenant_id, keep_until) on responses to :"relay";
create policy expired on responses for select to :"relay" using (keep_until <= now());
