-- Who signed in at whose client, also after that has ended: its organization hears that the session did.
create index oauth_grants_by_account on oauth_grants (account_id, client_id);
-- Every token is signed by ES256: a stream has no choice to keep.
alter table signal_streams drop column signing_alg;
