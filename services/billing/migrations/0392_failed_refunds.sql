-- A refund that was made may come back: its bank has sent the money back to our balance.
alter table refunds drop constraint refunds_state_check;
alter table refunds add check (state in ('refunding', 'refunded', 'refused', 'failed'));
alter table refunds add column failed_because text, add column failed_at timestamptz;
alter table refunds add check ((state = 'failed') = (failed_because is not null and failed_at is not null));

-- The payer has not got the money: a case, until somebody has found another way.
alter table reconciliation_cases drop constraint reconciliation_cases_kind_check;
alter table reconciliation_cases add check (kind in ('missing_here', 'missing_there', 'other_amount', 'other_fee', 'waits',
  'refund_failed'));
