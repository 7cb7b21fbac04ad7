-- Since when a tab is in its state: how long an outcome has been unknown says when to look again.
alter table tabs add column state_since timestamptz not null default now();
