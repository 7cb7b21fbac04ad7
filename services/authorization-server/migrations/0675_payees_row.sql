-- The payee's row of a charge, in the payee's tenant: made with the charge, and kept as it goes on. Runs with
-- the rights of its caller and enters the payee's tenant as the application does: row-level security holds inside.
create function keep_merchant_charge(payee text, given jsonb) returns void language plpgsql as $$
declare
  before constant text := coalesce(current_setting('remit.tenant', true), '');
begin
  perform set_config('remit.tenant', payee, true);
  insert into merchant_charges as m (tenant_id, id, merchant_id, client_id, mandate_id, agent_id, state, generation,
    amount_minor, captured_minor, refunded_minor, currency, rail, payment_reference, because, offer_id, offer_digest,
    serve_by, capture_by, created_at, captured_at, receipt_id, approval_id, approve_by, livemode)
  select payee, r.id, r.merchant_id, r.client_id, r.mandate_id, r.agent_id, r.state, r.generation,
    r.amount_minor, r.captured_minor, r.refunded_minor, r.currency, r.rail, r.payment_reference, r.because, r.offer_id,
    r.offer_digest, r.serve_by, r.capture_by, r.created_at, r.captured_at, r.receipt_id, r.approval_id, r.approve_by,
    r.livemode
  from jsonb_populate_record(null::merchant_charges, given) as r
  on conflict (tenant_id, id) do update set state = excluded.state, generation = excluded.generation,
    captured_minor = excluded.captured_minor, refunded_minor = excluded.refunded_minor,
    payment_reference = excluded.payment_reference, because = excluded.because, serve_by = excluded.serve_by,
    captured_at = excluded.captured_at, receipt_id = excluded.receipt_id, approval_id = excluded.approval_id,
    approve_by = excluded.approve_by;
  perform set_config('remit.tenant', before, true);
end $$;

revoke all on function keep_merchant_charge(text, jsonb) from public;
grant execute on function keep_merchant_charge(text, jsonb) to :"app";
