-- One transaction of a chain may bring many transfers: whose is whose, each one's nonce says.
drop index payments_settled_by;
create index payments_settled_by on payments (settled_by) where settled_by is not null;
