export {
  createTenant,
  newTenantId,
  platformTenant,
  type Tenant,
  type TenantKind,
} from "./tenants.ts";
