-- Counting what stands of a chain, finding what stands below a link, and the check of a row that goes, stay short however
-- much of the chain has ended.
create index delegations_by_chain on delegations (tenant_id, chain_id, expires_at);
drop index delegations_by_parent;
create index delegations_by_parent on delegations (tenant_id, parent_id, expires_at) where parent_id is not null;

-- Links that ended a week ago are swept: no token of theirs, and no revocation, is left by then. The relay sees no others,
-- and of these neither who handed what to whom nor the offer.
create policy due on delegations to :"relay" using (expires_at < now() - interval '7 days');
grant select (tenant_id, id, parent_id, expires_at), delete on delegations to :"relay";
create index delegations_ended on delegations (expires_at);
