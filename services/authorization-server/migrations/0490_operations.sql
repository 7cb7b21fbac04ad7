-- What operators are told of the service's own state, over all tenants: ids and counts.
grant select (tenant_id, broken_seq) on audit_verifications to :"relay";
grant select (id) on remit_migrations to :"relay";
