-- How a tool was described when a purchase of it was last let pass: a tool that says something else now is asked about again.
create table tool_pins (
  tenant_id text not null collate "C",
  mandate_id text not null collate "C",
  merchant_id text not null collate "C",
  url text not null collate "C",
  tool text not null collate "C",
  digest text not null collate "C",
  primary key (tenant_id, mandate_id, merchant_id, url, tool)
);
call remit_tenant_table('tool_pins');
grant select, insert, update on tool_pins to :"app";
