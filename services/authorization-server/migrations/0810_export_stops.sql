-- Since when nothing new is authorised under an export, by the word of whoever issued its token, once its principal wanted it
-- back. What was authorised before can still be captured.
alter table exports add column stopped_at timestamptz;
