-- Disputes about captured charges. Each stands once in the payer's tenant and once in the payee's, written together; what people
-- write in them is sealed under a key of the tenant in which the row stands.
create table disputes (
  tenant_id text not null collate "C",
  id text not null collate "C",
  charge_id text not null collate "C",
  payer_id text not null collate "C",
  payee_id text not null collate "C",
  merchant_id text not null collate "C",
  client_id text not null collate "C",
  agent_id text not null collate "C",
  -- `network`: billing has it from the card network, and what is done about it is done there.
  origin text not null check (origin in ('principal', 'network')),
  state text not null check (state in ('needs_response', 'under_review', 'won', 'lost', 'withdrawn')),
  reason text not null,
  because text,
  amount_minor bigint not null check (amount_minor > 0),
  currency text not null,
  -- Of what a principal has won: how much is given back, said once, and whether it has been.
  refund_minor bigint check (refund_minor between 1 and amount_minor),
  refund text not null default 'none' check (refund in ('none', 'due', 'done', 'refused')),
  respond_by timestamptz,
  review_by timestamptz,
  opened_at timestamptz not null,
  answered_at timestamptz,
  decided_at timestamptz,
  version integer not null default 1,
  statement bytea,
  answer bytea,
  primary key (tenant_id, id),
  check ((decided_at is null) = (state in ('needs_response', 'under_review'))),
  check (refund = 'none' or (origin = 'principal' and state = 'lost'))
);
call remit_tenant_table('disputes');
-- Either side's tenant will do: the row names both.
call remit_lookup('dispute', 'disputes', 'id');
create index disputes_of_charge on disputes (tenant_id, charge_id);
create index disputes_of_client on disputes (tenant_id, client_id, id);
-- A principal has one open at a time about a charge, however many requests race.
create unique index disputes_open on disputes (tenant_id, charge_id)
  where origin = 'principal' and state in ('needs_response', 'under_review');
grant select, insert, update on disputes to :"app";

create function disputes_way() returns trigger language plpgsql as $$
begin
  -- The card network may come back to what it had decided; a principal's dispute is over once.
  if old.origin = 'principal' and old.state <> new.state
    and old.state not in ('needs_response', 'under_review') then
    raise exception 'a dispute does not go from % to %', old.state, new.state using errcode = 'restrict_violation';
  end if;
  if new.version <> old.version + 1 then
    raise exception 'a dispute changes one version at a time' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger disputes_way before update on disputes for each row execute function disputes_way();
