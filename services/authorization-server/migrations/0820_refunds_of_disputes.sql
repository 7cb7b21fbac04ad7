-- What a dispute was lost over is asked for anew once the card network, which had the money, has let go of it.
alter table disputes add column refund_attempt integer not null default 1 check (refund_attempt > 0);
