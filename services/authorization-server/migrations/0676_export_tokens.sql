-- The token that was issued for an export, once anything was told of it: what is told of another one is refused, since each
-- of them could be spent up to the limit.
alter table exports add column token text;
