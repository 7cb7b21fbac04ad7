-- A person may have everything of theirs ended and forgotten: their sessions end for that.
alter table sessions drop constraint sessions_ended_because_check;
alter table sessions add constraint sessions_ended_because_check check (ended_because in ('signed_out',
  'revoked_by_person', 'revoked_by_operator', 'password_changed', 'recovery', 'security', 'expired', 'superseded',
  'account_erased'));
