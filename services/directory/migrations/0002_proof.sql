-- When the origin first named this merchant and its client. Rows from before that was asked for have none, and give way to
-- the merchant that the origin does name.
alter table merchants add column proven_at timestamptz;

-- One client is one merchant. If there are two already, which of them is the client's own is for an operator to say.
drop index merchants_client;
create unique index merchants_client on merchants (client_id);
