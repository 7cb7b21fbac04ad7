-- Asked for by the payment alone, while it is not known whose it is: with the organization in front, each look read them all (see 0407).
drop index transfers_payment;
create index transfers_payment on transfers (payment_id);
