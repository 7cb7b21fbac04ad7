-- What a payer has not paid at a merchant is asked before each purchase on a tab.
create index tabs_unpaid on tabs (tenant_id, merchant_id, currency) where state not in ('open', 'settled');
