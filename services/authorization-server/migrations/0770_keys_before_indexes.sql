-- While a table was never analysed, all of its indexes cost the planner the same, and of equals it takes the youngest: it looked
-- for one row of an organization by walking an index over all of them, and each connection kept that plan. An index over what
-- belongs to one mandate or agent needs no organization in front; the keys of the others are made once more, as the youngest.
drop index mandates_of_agent, mandate_holds_of_mandate, mandate_hold_links_of_mandate, charges_of_mandate, charges_of_agent,
  charges_bought_at, exports_of_mandate;
create index mandates_of_agent on mandates (agent_id, id);
create index mandate_holds_of_mandate on mandate_holds (mandate_id, charge_id);
create index mandate_hold_links_of_mandate on mandate_hold_links (mandate_id, charge_id);
create index charges_of_mandate on charges (mandate_id, id);
create index charges_of_agent on charges (agent_id, id);
create index charges_bought_at on charges (mandate_id, merchant_id) where captured_at is not null;
create index exports_of_mandate on exports (mandate_id, id);

alter table mandates drop constraint mandates_id_key, add constraint mandates_id_key unique (id);
alter table charges drop constraint charges_id_key, add constraint charges_id_key unique (id);
alter table merchant_charges drop constraint merchant_charges_id_key, add constraint merchant_charges_id_key unique (id);
alter table agents drop constraint agents_id_key, add constraint agents_id_key unique (id);
alter table delegations drop constraint delegations_id_key, add constraint delegations_id_key unique (id);
