-- Refunds of what was paid over a chain: the seller transfers, and names the transaction.

-- In which transaction it says to have given back, and why that was not taken for a refund.
alter table refunds add column transaction text collate "C", add column because text collate "C";

-- A transfer counts for one refund, whoever's it is: its place is the transaction's and the log's in it.
create table refund_transfers (
  tenant_id text not null collate "C",
  refund_id text not null collate "C",
  network text not null collate "C",
  transaction text not null collate "C",
  log_index integer not null check (log_index >= 0),
  primary key (tenant_id, refund_id),
  unique (network, transaction, log_index),
  foreign key (tenant_id, refund_id) references refunds (tenant_id, id)
);
call remit_tenant_table('refund_transfers');
grant select, insert on refund_transfers to :"app";
