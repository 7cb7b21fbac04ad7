export { tenantRoutes } from "./tenants.http.ts";
export {
  allowsBearer,
  createTenant,
  isTenant,
  isTenantActive,
  newTenantId,
  platformTenant,
  type Tenant,
  type TenantKind,
} from "./tenants.ts";
