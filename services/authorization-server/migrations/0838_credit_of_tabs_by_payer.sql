-- What 0821 finds at a merchant it found among all payers there, and rows of others were read to be left out. Charges that were let
-- go of stayed in the second index for ever, as they are never captured.
create index tabs_owed_by_payer on tabs (tenant_id, merchant_id, currency) where state not in ('settled', 'unpaid');
create index charges_for_tabs_by_payer on charges (tenant_id, merchant_id, created_at)
  where tab_limit_minor is not null and captured_at is null and state not in ('released', 'declined', 'expired');
