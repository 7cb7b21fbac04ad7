create table mandates (
  tenant_id text not null collate "C",
  id text not null collate "C",
  agent_id text not null collate "C",
  agent_tenant_id text not null collate "C",
  principal_id text not null collate "C",
  subject text not null,
  state text not null default 'active' check (state in ('active', 'suspended', 'revoked')),
  because text,
  details jsonb not null,
  holder_thumbprint text not null,
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  instrument_id text collate "C",
  jwt_hash text not null,
  status_list integer not null,
  status_place integer not null,
  livemode boolean not null,
  issued_at timestamptz not null,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  changed_at timestamptz not null,
  primary key (tenant_id, id),
  unique (id),
  unique (status_list, status_place),
  check (expires_at > issued_at),
  check ((state = 'revoked') = (revoked_at is not null))
);
call remit_tenant_table('mandates');
call remit_lookup('mandate', 'mandates', 'id');
create index mandates_of_agent on mandates (tenant_id, agent_id, id);
grant select, insert, update on mandates to :"app";

-- A revocation is final, and what was consented to never changes.
create function mandates_final() returns trigger language plpgsql as $$
begin
  if old.state = 'revoked' and new.state <> 'revoked' then
    raise exception 'a revoked mandate stays revoked' using errcode = 'restrict_violation';
  end if;
  if (new.details, new.agent_id, new.holder_thumbprint, new.expires_at, new.currency, new.livemode)
     is distinct from (old.details, old.agent_id, old.holder_thumbprint, old.expires_at, old.currency, old.livemode) then
    raise exception 'what was consented to does not change' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger mandates_final before update on mandates for each row execute function mandates_final();

-- The SD-JWT with every disclosure, sealed under the tenant's data key: it carries personal data.
create table mandate_credentials (
  tenant_id text not null collate "C",
  mandate_id text not null collate "C",
  sealed_jwt bytea not null,
  primary key (tenant_id, mandate_id),
  foreign key (tenant_id, mandate_id) references mandates (tenant_id, id)
);
call remit_tenant_table('mandate_credentials');
grant select, insert on mandate_credentials to :"app";

-- Amounts are units of 10^-6 of the mandate's currency. The CHECK is the promise that every race meets.
create table mandate_budgets (
  tenant_id text not null collate "C",
  mandate_id text not null collate "C",
  cap numeric(30, 0) not null check (cap > 0),
  held numeric(30, 0) not null default 0 check (held >= 0),
  spent numeric(30, 0) not null default 0 check (spent >= 0),
  uses integer not null default 0 check (uses >= 0),
  uses_max integer check (uses_max > 0),
  primary key (tenant_id, mandate_id),
  foreign key (tenant_id, mandate_id) references mandates (tenant_id, id),
  check (held + spent <= cap),
  check (uses_max is null or uses <= uses_max)
);
call remit_tenant_table('mandate_budgets');
grant select, insert, update on mandate_budgets to :"app";

-- One row per rule and calendar period in which something was held; `opens_at` is the period's first instant.
create table mandate_windows (
  tenant_id text not null collate "C",
  mandate_id text not null collate "C",
  rule smallint not null check (rule >= 0),
  opens_at timestamptz not null,
  amount numeric(30, 0) not null check (amount >= 0),
  uses integer not null check (uses >= 0),
  primary key (tenant_id, mandate_id, rule, opens_at),
  foreign key (tenant_id, mandate_id) references mandates (tenant_id, id)
);
call remit_tenant_table('mandate_windows');
grant select, insert, update on mandate_windows to :"app";

-- What one charge keeps of a budget. `windows` are the rows it counts in: [{rule, opens_at}].
create table mandate_holds (
  tenant_id text not null collate "C",
  charge_id text not null collate "C",
  mandate_id text not null collate "C",
  amount numeric(30, 0) not null check (amount > 0),
  captured numeric(30, 0) not null default 0 check (captured >= 0 and captured <= amount),
  refunded numeric(30, 0) not null default 0 check (refunded >= 0 and refunded <= captured),
  state text not null default 'held' check (state in ('held', 'captured', 'released')),
  windows jsonb not null,
  taken_at timestamptz not null default now(),
  primary key (tenant_id, charge_id),
  foreign key (tenant_id, mandate_id) references mandates (tenant_id, id),
  check (state = 'captured' or captured = 0)
);
call remit_tenant_table('mandate_holds');
create index mandate_holds_of_mandate on mandate_holds (tenant_id, mandate_id, charge_id);
grant select, insert, update on mandate_holds to :"app";

-- The first instant of the calendar period that holds an instant, in a named zone. date_trunc with a zone keeps hours
-- apart where a clock is set back, and finds the true midnight where it is set forward.
create function mandate_window(period text, zone text, at timestamptz) returns timestamptz
language sql stable as $$ select date_trunc(period, at, zone) $$;
