-- What was bought and where, in small letters, for who looks through what it paid. A charge made before has its merchant's
-- address alone.
alter table charges add column found_by text;
