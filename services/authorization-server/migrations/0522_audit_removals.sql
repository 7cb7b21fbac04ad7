-- Bodies that have been kept as long as their class demands are removed; place, leaf and hashes stay, and the tree goes on
-- proving them (docs/decisions/0046). Two hands: the service says, signs and logs which places, the owner of the database
-- removes what was said, once that is under a signed checkpoint, and once this database too finds that it has expired.
create table audit_removals (
  tenant_id text not null collate "C",
  seq bigint not null,
  -- The entry that says so.
  removal text not null collate "C",
  primary key (tenant_id, seq),
  foreign key (tenant_id, seq) references audit_chain (tenant_id, seq)
);
call remit_tenant_table('audit_removals');
call remit_append_only('audit_removals');
grant select, insert on audit_removals to :"app";

alter table audit_rows alter column body drop not null;

-- Whether the database itself, by its own clock, finds that a body was kept as long as its class demands. The class stands
-- in canonical JSON, where the same words inside a text would have their quotation marks escaped.
create function audit_body_expired(at timestamptz, event text, body text) returns boolean language sql stable as $$
  select body is not null and event <> 'audit.expired' and at < now() - make_interval(
    years => case when position('"retention_class":"eidas-10y"' in body) > 0 then 10 else 7 end)
$$;
revoke all on function audit_body_expired(timestamptz, text, text) from public;

-- As before, but for the one change that removes an expired body, which the application has no right to make.
create function audit_rows_only_expire() returns trigger language plpgsql as $$
begin
  if audit_body_expired(old.at, old.event, old.body) and new.body is null and new.event = '' and new.subject = ''
    and (new.tenant_id, new.event_id, new.at, new.digest) = (old.tenant_id, old.event_id, old.at, old.digest)
    and exists (
      select from audit_chain place
        join audit_removals removed on removed.tenant_id = place.tenant_id and removed.seq = place.seq
        join audit_chain entry on entry.tenant_id = removed.tenant_id and entry.event_id = removed.removal
        join audit_heads head on head.tenant_id = place.tenant_id and head.checkpoint_seq >= entry.seq
      where place.tenant_id = old.tenant_id and place.event_id = old.event_id)
  then return new; end if;
  raise exception 'audit_rows is append-only: UPDATE refused' using errcode = 'insufficient_privilege';
end $$;
revoke all on function audit_rows_only_expire() from public;
drop trigger append_only on audit_rows;
create trigger append_only before delete on audit_rows for each statement execute function remit_refuse_change();
create trigger only_expire before update on audit_rows for each row execute function audit_rows_only_expire();
alter table audit_rows enable always trigger append_only;
alter table audit_rows enable always trigger only_expire;

-- For the owner of the schema alone: call expire_audit_bodies(). It may be stopped at any point and called again.
create procedure expire_audit_bodies() language plpgsql as $$
declare
  log text;
begin
  for log in select tenant_id from audit_heads order by tenant_id loop
    perform set_config('remit.tenant', log, true);
    update audit_rows r set body = null, event = '', subject = ''
    from audit_removals removed
      join audit_chain place on place.tenant_id = removed.tenant_id and place.seq = removed.seq
      join audit_chain entry on entry.tenant_id = removed.tenant_id and entry.event_id = removed.removal
      join audit_heads head on head.tenant_id = removed.tenant_id and head.checkpoint_seq >= entry.seq
    where removed.tenant_id = log and r.tenant_id = log and r.event_id = place.event_id
      and audit_body_expired(r.at, r.event, r.body);
    commit;
  end loop;
end $$;
revoke all on procedure expire_audit_bodies() from public;
