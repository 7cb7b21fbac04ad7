-- What waits for a principal's answer. In the principal's tenant; what was asked never changes, and an answer is final.
create table approvals (
  tenant_id text not null collate "C",
  id text not null collate "C",
  principal_id text not null collate "C",
  agent_id text not null collate "C",
  agent_tenant_id text not null collate "C",
  kind text not null check (kind in ('mandate')),
  -- What would be allowed, from the agent's authenticated request alone.
  subject jsonb not null,
  -- Of the key that the request was proven with.
  holder_thumbprint text not null collate "C",
  -- The same question asked again is one question (G02).
  group_digest text not null collate "C",
  asked_count integer not null default 1,
  -- The request to answer and the agent's own words, under the tenant's data key.
  sealed_question bytea not null,
  state text not null default 'pending' check (state in ('pending', 'approved', 'denied', 'expired')),
  asked_at timestamptz not null,
  expires_at timestamptz not null,
  answered_at timestamptz,
  answered_by text collate "C",
  mandate_id text collate "C",
  -- The principal's reason and the evidence of a second factor.
  sealed_answer bytea,
  primary key (tenant_id, id),
  unique (id),
  check ((state = 'pending') = (answered_at is null)),
  check ((state in ('approved', 'denied')) = (answered_by is not null)),
  check (state = 'approved' or mandate_id is null)
);
call remit_tenant_table('approvals');
create unique index approvals_waiting on approvals (tenant_id, principal_id, agent_id, group_digest)
  where state = 'pending';
create index approvals_of_principal on approvals (tenant_id, principal_id, id);
grant select, insert, update on approvals to :"app";

create function approvals_final() returns trigger language plpgsql as $$
begin
  if old.state <> 'pending'
     and (new.state, new.answered_at, new.answered_by) is distinct from (old.state, old.answered_at, old.answered_by) then
    raise exception 'an answer is final' using errcode = 'restrict_violation';
  end if;
  if old.mandate_id is not null and new.mandate_id is distinct from old.mandate_id then
    raise exception 'an approval gives one mandate' using errcode = 'restrict_violation';
  end if;
  if (new.principal_id, new.agent_id, new.kind, new.subject, new.holder_thumbprint, new.group_digest)
     is distinct from (old.principal_id, old.agent_id, old.kind, old.subject, old.holder_thumbprint, old.group_digest) then
    raise exception 'what was asked does not change' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger approvals_final before update on approvals for each row execute function approvals_final();

-- Global: an agent asks people of several tenants, and its limits are of all of them. Ids only. Each ask locks the
-- agent's row, so that the count of what is open is exact however many ask at once.
create table asking_quotas (
  agent_id text not null collate "C" primary key,
  asked_count integer not null,
  window_ends timestamptz not null
);
grant select, insert, update on asking_quotas to :"app";

create table asking_open (
  approval_id text not null collate "C" primary key,
  agent_id text not null collate "C",
  expires_at timestamptz not null
);
create index asking_open_of_agent on asking_open (agent_id);
grant select, insert, update, delete on asking_open to :"app";
