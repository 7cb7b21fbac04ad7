-- The management client says what is for sale, too. The owner sees nothing under forced row-level security.
alter table clients no force row level security;
update clients set scopes = scopes || array['offers:read', 'offers:write']
  where kind = 'admin' and 'agents:write' = any(scopes) and not 'offers:write' = any(scopes);
alter table clients force row level security;
