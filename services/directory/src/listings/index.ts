export { tellingRoute } from "./listings.http.ts";
export { listingTables } from "./listings.ts";
export { marketplaceRoutes } from "./marketplace.http.ts";
