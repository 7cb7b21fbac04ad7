-- A payment is one organization's anyway. With that in front, a refund was looked for among all of the organization's (see 0405).
drop index refunds_payment;
create index refunds_payment on refunds (payment_id);
