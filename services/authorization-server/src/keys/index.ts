export { createIssuerKeys, type IssuerKeys, type KeyPurpose, keyPurposes } from "./keys.ts";
export { keyRoutes } from "./keys.http.ts";
