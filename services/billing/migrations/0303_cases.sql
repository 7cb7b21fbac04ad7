-- Where our books and Stripe's differ. The platform's to see: it is our balance there.
create table reconciliation_cases (
  tenant_id text not null collate "C" check (tenant_id = 'platform'),
  id text not null collate "C",
  kind text not null collate "C" check (kind in ('missing_here', 'missing_there', 'other_amount', 'other_fee')),
  -- Stripe's balance transaction.
  object_id text not null collate "C",
  asset text not null collate "C",
  ours numeric(38, 0),
  theirs numeric(38, 0),
  opened_at timestamptz not null,
  resolved_at timestamptz,
  resolved_by text collate "C",
  note text,
  primary key (id),
  -- Told again and again, a mismatch is one case.
  unique (object_id, kind),
  check ((resolved_at is null) = (note is null))
);
call remit_tenant_table('reconciliation_cases');
grant select, insert on reconciliation_cases to :"app";
grant update (resolved_at, resolved_by, note) on reconciliation_cases to :"app";
