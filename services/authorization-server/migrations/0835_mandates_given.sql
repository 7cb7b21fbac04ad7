-- What a principal gave itself is few beside what agents hand on: lists and sums of it pass over none of the rest, and what was
-- handed on from one mandate is found by it.
create index mandates_given on mandates (tenant_id, id) where parent_id is null;
create index mandates_handed_on on mandates (parent_id, id) where parent_id is not null;
