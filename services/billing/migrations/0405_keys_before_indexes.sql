-- The youngest of a table's indexes: of those that look alike, as all do before a table was analysed, the planner takes that.
alter table payout_accounts drop constraint payout_accounts_id_key, add constraint payout_accounts_id_key unique (id);
