-- A question waits as a digest alone: what is confirmed is said again by whoever confirms it, and kept under seal. Its
-- challenge is now over the question's own id too, so questions that wait now must be asked again.
truncate step_ups;
alter table step_ups drop column what;

-- One thing is still confirmed at most once, whichever window it was asked in: by the digest of what it is, which the
-- challenge was until now.
alter table step_up_answers add column what_digest bytea;
update step_up_answers set what_digest = challenge;
alter table step_up_answers alter column what_digest set not null;
create unique index step_up_answers_by_what on step_up_answers (what_digest);
