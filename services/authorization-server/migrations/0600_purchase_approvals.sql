-- A purchase may need a yes of its own: it is asked as any other question is, and its budget is held meanwhile.
alter table approvals drop constraint approvals_kind_check;
alter table approvals
  add column charge_id text collate "C",
  add check (kind in ('mandate', 'charge', 'sca')),
  add check ((kind = 'mandate') = (charge_id is null)),
  add foreign key (tenant_id, charge_id) references charges (tenant_id, id) deferrable initially deferred;
-- Each charge is asked about at most once for the principal's trigger and once for the card's issuer.
create unique index approvals_of_charge on approvals (tenant_id, charge_id, kind) where charge_id is not null;

alter table charges drop constraint charges_state_check;
alter table charges
  add column approval_id text collate "C",
  add column approve_by timestamptz,
  add column approved_at timestamptz,
  add check (state in ('pending_approval', 'authorizing', 'authorized', 'committed', 'capturing', 'captured',
    'refunding', 'refunded', 'releasing', 'released', 'declined', 'expired')),
  add check ((approval_id is null) = (approve_by is null)),
  add check (state <> 'pending_approval' or approval_id is not null);

-- The payee sees that somebody is asked, and until when.
alter table merchant_charges
  add column approval_id text collate "C",
  add column approve_by timestamptz;

create or replace function charges_way() returns trigger language plpgsql as $$
begin
  if new.state <> old.state and (old.state || '>' || new.state) not in (
    'pending_approval>authorizing', 'pending_approval>declined', 'pending_approval>expired',
    'pending_approval>released', 'pending_approval>authorized', 'pending_approval>releasing',
    'authorizing>authorized', 'authorizing>declined', 'authorizing>releasing', 'authorizing>pending_approval',
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
