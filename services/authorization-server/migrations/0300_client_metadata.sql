-- A client kind for somebody's OpenID relying party or MCP client, and what clients said of themselves (RFC 7591).
alter table clients drop constraint clients_kind_check;
alter table clients drop constraint clients_check2;
alter table clients
  add constraint clients_kind_check check (kind in ('agent', 'merchant', 'admin', 'wallet', 'application')),
  -- An application proves itself by a secret, by its keys (in its metadata), or not at all (public, with PKCE).
  add constraint clients_secret_check check (
    case kind when 'admin' then secret_digest is not null when 'application' then true else secret_digest is null end),
  add column metadata jsonb not null default '{}',
  -- HMAC of the token that manages the registration (RFC 7592); none when nobody may.
  add column registration_digest bytea,
  add constraint clients_registration_check check (registration_digest is null or kind = 'application');

alter table setup_tokens drop constraint setup_tokens_kind_check;
alter table setup_tokens add constraint setup_tokens_kind_check check (kind in ('agent', 'merchant', 'application'));
