-- A trust in a workflow that is no agent yet: it may register agents and nothing else, and is a client of its own.
alter table trusts alter column client_id drop not null;
alter table trusts add constraint trusts_registering check (client_id is not null or kind = 'github');
