-- A delegation that is handed over by a call lasts longer than any token does. What offers it is a random text, kept as
-- its digest, and beside that the claims that it stands for: whoever exchanges it gets a token made from them.
alter table delegations add column token_digest text collate "C", add column offer jsonb;
alter table delegations add constraint delegations_handed check ((token_digest is null) = (offer is null));
create unique index delegations_by_token on delegations (tenant_id, token_digest) where token_digest is not null;
