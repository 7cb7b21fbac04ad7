-- Revoking a mandate ends the grant that gave it, so the grant is found from it.
create index oauth_grants_of_mandate on oauth_grants (mandate_id) where mandate_id is not null;
