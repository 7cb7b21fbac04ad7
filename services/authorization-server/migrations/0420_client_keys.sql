-- Global: whose a key is and what for, by its RFC 7638 thumbprint; ids and digests only. One row per key, so that no two
-- clients and no two purposes share one (K09). A key that an agent had stays known when the agent is gone.
create table client_keys (
  thumbprint text not null collate "C" primary key,
  client_id text not null collate "C",
  purpose text not null collate "C" check (purpose in ('assertion', 'dpop')),
  since timestamptz not null
);
create index client_keys_of_client on client_keys (client_id);
grant select, insert, update, delete on client_keys to :"app";

-- What was registered before: where two share a key, the older one has it. The owner sees nothing under forced row security.
create function remit_thumbprint(jwk jsonb) returns text language sql immutable as $$
  select rtrim(translate(encode(sha256(convert_to(
    case jwk ->> 'kty'
      when 'EC' then format('{"crv":"%s","kty":"EC","x":"%s","y":"%s"}', jwk ->> 'crv', jwk ->> 'x', jwk ->> 'y')
      else format('{"crv":"%s","kty":"OKP","x":"%s"}', jwk ->> 'crv', jwk ->> 'x')
    end, 'UTF8')), 'base64'), '+/', '-_'), '=')
$$;
alter table agents no force row level security;
alter table clients no force row level security;
insert into client_keys (thumbprint, client_id, purpose, since)
  select remit_thumbprint(jwk), client_id, purpose, since from (
    select assertion_jwk as jwk, id as client_id, 'assertion' as purpose, created_at as since from agents
    union all select dpop_jwk, id, 'dpop', created_at from agents
    union all select assertion_jwk, id, 'assertion', created_at from clients where kind <> 'agent'
    union all select dpop_jwk, id, 'dpop', created_at from clients where kind <> 'agent'
    union all select key, id, 'assertion', created_at
      from clients, jsonb_array_elements(metadata -> 'jwks' -> 'keys') as key where disabled_at is null
  ) as known where jwk is not null order by since, client_id, purpose
  on conflict do nothing;
alter table clients force row level security;
alter table agents force row level security;
drop function remit_thumbprint(jsonb);
