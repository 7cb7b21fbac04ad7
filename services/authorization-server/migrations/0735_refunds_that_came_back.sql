-- A refund that its bank sends back makes a refunded charge a captured one again.
create or replace function charges_way() returns trigger language plpgsql as $$
declare
  amends constant boolean := old.state = 'authorized' and new.state = 'authorizing' and new.generation = old.generation + 1
    and new.amount_minor > old.amount_minor and new.amended is distinct from old.amended;
  comes_back constant boolean := old.state = 'refunded' and new.state = 'captured' and new.refunded_minor < old.refunded_minor;
begin
  if new.state <> old.state and not amends and not comes_back and (old.state || '>' || new.state) not in (
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
