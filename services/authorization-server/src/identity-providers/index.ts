export { callbackOf, callbackPath } from "./callback.ts";
export { identityProviderRoutes } from "./identity-providers.http.ts";
export {
  activeProviders,
  type IdentityProvider,
  identityProviderTables,
  providerById,
  speaksFor,
  stillActive,
} from "./identity-providers.ts";
export { createUpstream, type Question, type Said, sessionMaxMs, type Upstream } from "./upstream.ts";
