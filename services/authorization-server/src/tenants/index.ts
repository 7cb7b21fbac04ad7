export { tenantRoutes } from "./tenants.http.ts";
export {
  allowsBearer,
  createTenant,
  isTenant,
  isTenantActive,
  newTenantId,
  type Publisher,
  platformTenant,
  publisherOf,
  type Tenant,
  type TenantKind,
} from "./tenants.ts";
export { listingQueue, tellDirectory } from "./told.ts";
