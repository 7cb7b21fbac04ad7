-- Of an invoice, what credit notes have settled of it; of a credit note, what of it has been set off against invoices.
alter table invoices add column credited numeric(38, 0) not null default 0 check (credited >= 0);
grant update (credited) on invoices to :"app";
