-- Tax and shipping that a merchant adds to a purchase that is held: a second signed offer for the same goods, held anew.
alter table charges
  -- {evidence, key, digest, at}: the offer that counts now; the one that was presented stays where it was.
  add column amended jsonb,
  -- The payment of the generation before, which billing is told to let go of before it is asked to hold this one.
  add column former_payment_id text collate "C",
  add column former_minor bigint check (former_minor > 0);
alter table charges add check ((former_payment_id is null) = (amended is null) and (former_minor is null) = (amended is null));
alter table charges add check (amended is null or generation > 1);

-- As before, and: a charge that is held goes on its way once more as the next generation, for more, by an amended offer.
create or replace function charges_way() returns trigger language plpgsql as $$
declare
  amends constant boolean := old.state = 'authorized' and new.state = 'authorizing' and new.generation = old.generation + 1
    and new.amount_minor > old.amount_minor and new.amended is distinct from old.amended;
begin
  if new.state <> old.state and not amends and (old.state || '>' || new.state) not in (
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
  if (new.currency, new.mandate_id, new.merchant_id, new.offer_digest, new.presentation_hash)
     is distinct from
     (old.currency, old.mandate_id, old.merchant_id, old.offer_digest, old.presentation_hash)
     or (not amends and (new.amount_minor, new.amended) is distinct from (old.amount_minor, old.amended)) then
    raise exception 'what a charge is for does not change' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
