-- Whether a person has granted anything to a client is asked when the client wants to act for that person.
create index oauth_grants_by_client on oauth_grants (client_id, account_id) where revoked_at is null;
