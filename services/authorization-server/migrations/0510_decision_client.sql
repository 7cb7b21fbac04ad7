-- Who acted, where the token was another's: a denial may be because of the one or of the other.
alter table policy_decisions add column client text;
