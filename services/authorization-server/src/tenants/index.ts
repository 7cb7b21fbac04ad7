export { tenantRoutes } from "./tenants.http.ts";
export {
  allowsBearer,
  createTenant,
  isTenant,
  newTenantId,
  platformTenant,
  type Tenant,
  type TenantKind,
} from "./tenants.ts";
