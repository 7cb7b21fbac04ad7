-- Tokens that no mandate is charged in for the time being, by their CAIP-19 names in small letters: the operator's switch.
create table suspended_assets (
  asset text primary key collate "C" check (asset = lower(asset) and length(asset) <= 200),
  because text not null,
  suspended_at timestamptz not null
);
grant select, insert, delete on suspended_assets to :"app";
