-- Tables of the tests: one of tenants, one that only grows.
create table purses (
  tenant_id text not null collate "C",
  id text not null collate "C",
  units bigint not null,
  primary key (tenant_id, id),
  unique (id)
);
call remit_tenant_table('purses');
call remit_lookup('purse', 'purses', 'id');
grant select, insert, update, delete on purses to :"app";

create table entries (tenant_id text not null collate "C", id text primary key collate "C");
call remit_tenant_table('entries');
grant select, insert, update, delete on entries to :"app";
call remit_append_only('entries');

create view purse_view as select tenant_id, id from purses;
grant select on purse_view to :"app";
