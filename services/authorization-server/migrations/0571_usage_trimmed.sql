-- Use is kept for 400 days, a year and a month of what anybody looks at; the relay sees what is older, and deletes it.
create policy due on usage_quarters to :"relay" using (quarter < now() - interval '400 days');
create policy due on usage_agents to :"relay" using (day < (now() - interval '400 days')::date);
grant select (tenant_id, quarter), delete on usage_quarters to :"relay";
grant select (tenant_id, day, agent_id), delete on usage_agents to :"relay";
create index usage_quarters_old on usage_quarters (quarter);
create index usage_agents_old on usage_agents (day);
