-- A purchase whose principal is asked keeps its claim, with the order it was made with, until the answer: the same
-- credential goes on with it, however old it has become.
alter table claims drop constraint claims_state_check;
alter table claims add constraint claims_state_check
  check (state in ('claimed', 'serving', 'capturing', 'captured', 'releasing', 'released', 'owed', 'waiting'));
