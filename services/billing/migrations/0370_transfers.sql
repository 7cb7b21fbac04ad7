-- Payments over the x402 rail, by the payer's wallet that billing may ask to sign.

-- What the wallet signs, before it does: network, token, payee, domain, wallet and nonce. Amounts of such a payment are the
-- token's units, and `currency` is the token's code. `settled_by` is the transaction that paid.
alter table payments add column transfer jsonb, add column settled_by text collate "C";
alter table payments add check ((rail = 'x402') = (transfer is not null) or state = 'released');
create unique index payments_settled_by on payments (settled_by) where settled_by is not null;
