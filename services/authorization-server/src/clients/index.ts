export {
  type Client,
  type ClientKind,
  clientById,
  type PeerSetting,
  registerAdmin,
  saveWallet,
  scopesOf,
} from "./clients.ts";
export { registrationRoutes } from "./registration.http.ts";
export { createSecrets, type Secrets } from "./secrets.ts";
export { setupTokenRoutes } from "./setup-tokens.http.ts";
