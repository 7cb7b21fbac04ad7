-- x402's `upto`: a settlement of a permit goes through its proxy, for as much as was used of what was signed.
alter table settlements add column scheme text not null default 'exact' check (scheme in ('exact', 'upto'));
