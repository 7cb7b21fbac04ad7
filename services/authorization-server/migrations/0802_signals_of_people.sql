-- Who signed in at whose client, also after that has ended: its organization hears that the session did.
create index oauth_grants_by_account on oauth_grants (account_id, client_id);
