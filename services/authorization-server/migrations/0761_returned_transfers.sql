-- A refund of what was paid over a chain names the transaction in which the merchant has given it back.
alter table charges add column refund_transaction text collate "C";
alter table charges add check (refund_transaction is null or refund_id is not null);
alter table charge_refunds add column transaction text collate "C";
