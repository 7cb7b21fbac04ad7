-- A sign-in that began before its person got back in counts no more, however far it had come.
alter table accounts add column sign_ins_from timestamptz;
