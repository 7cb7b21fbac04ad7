-- What a person is shown of their account: few of a tenant's entries, found without reading the charges among them.
create index audit_rows_about_people on audit_rows (tenant_id, event_id)
  where split_part(event, '.', 1) in ('account', 'consent', 'identity', 'security', 'session', 'factor', 'passkey');
