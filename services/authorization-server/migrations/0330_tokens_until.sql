-- A revocation may end what was issued until a moment and leave alone what is issued later: all tokens that a client had.
-- Without a moment it refuses every token of its key, as before.
alter table token_revocations add column issued_until timestamptz;
