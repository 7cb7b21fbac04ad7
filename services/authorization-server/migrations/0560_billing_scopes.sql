-- The management client sees what its organization owes and is owed, and the operator's sets fees and closes months. The
-- owner sees nothing under forced row-level security.
alter table clients no force row level security;
update clients set scopes = scopes || array['billing:read']
  where kind = 'admin' and 'admin:orgs' = any(scopes) and not 'billing:read' = any(scopes);
update clients set scopes = scopes || array['billing:write']
  where kind = 'admin' and tenant_id = 'org_00000000000000000000000000' and not 'billing:write' = any(scopes);
alter table clients force row level security;
