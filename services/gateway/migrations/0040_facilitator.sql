-- The next transaction nonce of each key that pays for gas. Taking one locks the row until the signed bytes are written,
-- so that no two processes take the same and none is left out.
create table chain_signers (
  network text not null collate "C",
  signer text not null collate "C",
  next_nonce bigint not null check (next_nonce >= 0),
  primary key (network, signer)
);
grant select, insert, update on chain_signers to :"app";

-- One row per authorization that was brought on a chain, written with the signed transaction and before it is sent. All
-- in it is public once it is sent.
create table settlements (
  network text not null collate "C",
  asset text not null collate "C",
  payer text not null collate "C",
  nonce text not null collate "C",
  -- Whose settlement it is: digest of the caller's key. Null when the caller has none: then the first who asks once it
  -- is settled is told, and nobody after.
  owner text collate "C",
  told_at timestamptz,
  pay_to text not null collate "C",
  value numeric(78, 0) not null check (value >= 0),
  valid_before numeric(78, 0) not null,
  -- What the token is asked.
  call bytea not null,
  gas bigint not null,
  confirmations integer not null check (confirmations >= 1),
  signer text not null collate "C",
  tx_nonce bigint not null,
  state text not null check (state in ('sent', 'settled', 'failed')),
  reason text,
  -- The transaction that decided it; not always ours.
  transaction text collate "C",
  block bigint,
  worker text not null collate "C",
  boot text not null collate "C",
  leased_until timestamptz not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (network, asset, payer, nonce),
  check ((state = 'failed') = (reason is not null)),
  check (state <> 'settled' or (transaction is not null and block is not null))
);
create index settlements_open on settlements (leased_until) where state = 'sent';
create index settlements_block on settlements (network, block) where state = 'settled';
create index settlements_nonce on settlements (network, signer, tx_nonce);
grant select, insert, update on settlements to :"app";

-- Every transaction that was signed for a settlement: the same bytes are sent again, and one that replaces another has
-- its transaction nonce and a higher fee.
create table settlement_transactions (
  network text not null collate "C",
  transaction text not null collate "C",
  asset text not null collate "C",
  payer text not null collate "C",
  nonce text not null collate "C",
  signer text not null collate "C",
  tx_nonce bigint not null,
  raw bytea not null,
  max_fee numeric(78, 0) not null,
  tip numeric(78, 0) not null,
  created_at timestamptz not null,
  primary key (network, transaction),
  foreign key (network, asset, payer, nonce) references settlements (network, asset, payer, nonce)
);
create index settlement_transactions_of on settlement_transactions (network, asset, payer, nonce, created_at);
grant select, insert on settlement_transactions to :"app";
