-- What a charge was decided upon, as the merchant sent it: presentation, token and nonce, sealed under a key of the payer. The
-- token is dead within 15 minutes of its making and is given to nobody before that.
create table charge_presentations (
  tenant_id text not null collate "C",
  charge_id text not null collate "C",
  sealed bytea not null,
  token_expires_at timestamptz not null,
  primary key (tenant_id, charge_id)
);
call remit_tenant_table('charge_presentations');
call remit_append_only('charge_presentations');
grant select, insert on charge_presentations to :"app";

-- The evidence of a charge as it was first packed, sealed under a key of whoever asked: asked for again, it is the same bytes.
create table evidence_packs (
  tenant_id text not null collate "C",
  charge_id text not null collate "C",
  sealed bytea not null,
  packed_at timestamptz not null,
  primary key (tenant_id, charge_id)
);
call remit_tenant_table('evidence_packs');
call remit_append_only('evidence_packs');
grant select, insert on evidence_packs to :"app";
