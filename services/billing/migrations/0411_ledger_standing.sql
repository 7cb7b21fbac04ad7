-- What the last check of the books found, for every process to see: while they do not balance, no money leaves the platform.
create table ledger_standing (
  one boolean primary key default true check (one),
  -- The last check that came to an end.
  checked_at timestamptz,
  -- Since when checks find that the books are not right, or come to no end.
  halted_since timestamptz,
  failing_since timestamptz
);
insert into ledger_standing default values;
grant select, update on ledger_standing to :"app";
