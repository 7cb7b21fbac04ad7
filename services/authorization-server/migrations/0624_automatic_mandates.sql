-- What an agent asks for is granted out of such a mandate without asking its principal, as one that is handed on to itself: no
-- grant makes budget. One without a limit for a period is no such mandate.
alter table mandates add column auto boolean not null default false;
create index mandates_automatic on mandates (tenant_id, agent_id, principal_id, id) where auto;
