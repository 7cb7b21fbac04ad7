-- What a payer owes a merchant on tabs, and what it holds there that will be on one: looked for with each purchase on a tab.
create index tabs_owed on tabs (merchant_id, currency) where state not in ('settled', 'unpaid');
create index charges_for_tabs on charges (merchant_id, created_at) where tab_limit_minor is not null and captured_at is null;
