-- Whoever reads the outbox asks at whose applications people signed in, for a whole batch at once. It sees ids alone, of
-- applications that know a person by the name that all know.
grant select (client_id, account_id, session_sid, revoked_at) on oauth_grants to :"relay";
create policy hearing on clients for select to :"relay"
  using (kind = 'application' and metadata->>'subject_type' is distinct from 'pairwise');
grant select (tenant_id, id) on clients to :"relay";
