-- What an organization has earned by days, without reading all that it ever sold.
create index merchant_charges_by_capture on merchant_charges (tenant_id, captured_at) where captured_at is not null;
