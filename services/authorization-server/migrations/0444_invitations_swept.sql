-- Invitations that were accepted or have ended are swept; the relay sees no others, and of these no address.
create policy due on invitations to :"relay" using (accepted_at is not null or expires_at < now());
grant select (tenant_id, id, accepted_at, expires_at), delete on invitations to :"relay";
create index invitations_ended on invitations (expires_at);
