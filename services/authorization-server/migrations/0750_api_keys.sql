-- What an organization sees of its API keys, which are its management clients.
alter table clients
  add column made_by text collate "C",
  add column rotated_at timestamptz,
  -- The last characters of its secret, by which people tell one from another.
  add column secret_ends text check (length(secret_ends) <= 4);
create index clients_admins on clients (tenant_id, id) where kind = 'admin';
