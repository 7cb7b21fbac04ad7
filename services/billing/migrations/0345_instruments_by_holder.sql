-- A card that its holder saves in the browser alone: a refusal there is not the end, the holder may try another.
alter table instruments add column by_holder boolean not null default false;
alter table instruments add column removed_at timestamptz;
