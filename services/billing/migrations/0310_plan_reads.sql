-- Reads of a subscription are ordered by when they began, by the one counter that all processes share: their clocks differ.
create sequence plan_reads;
grant usage on sequence plan_reads to :"app";
alter table plans add column read_no bigint not null default 0;
alter table plans drop column read_at;

-- Set while a subscription ends because its organization does not act: it goes on when the organization does.
alter table plans add column ends_with_organization boolean not null default false;
