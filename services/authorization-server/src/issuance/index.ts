export { tokenEndpoint } from "./issuance.http.ts";
export { createIssuance, type Issuance, type IssuanceDeps } from "./issuance.ts";
export { createRefreshing, type RefreshingDeps } from "./refresh.ts";
