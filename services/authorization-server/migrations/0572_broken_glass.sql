-- Why a call was decided as it was: by the policies, or past those of the organization, by the rule that lets whoever
-- manages it always mend them.
alter table policy_decisions add column because text not null default 'policy' check (because in ('policy', 'break_glass'));
