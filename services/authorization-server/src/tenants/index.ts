export {
  createTenant,
  newTenantId,
  platformTenant,
  type Tenant,
  type TenantKind,
  tenantOf,
} from "./tenants.ts";
