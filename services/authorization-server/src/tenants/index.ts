export { tenantRoutes } from "./tenants.http.ts";
export {
  allowsBearer,
  createTenant,
  newTenantId,
  platformTenant,
  type Tenant,
  type TenantKind,
} from "./tenants.ts";
