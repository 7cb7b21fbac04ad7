export { type Admin, adminById, adminsOf, disableAdmin, liveAdmins, replaceSecret } from "./admins.ts";
export {
  type Authenticated,
  type ClientAuthentication,
  createClientAuthentication,
  firstUseOf,
  type Presented,
  refusedAsUndefined,
  replayMemoryMs,
  type UsedCredential,
} from "./authentication.ts";
export {
  type ApplicationDigests,
  type ApplicationRegistration,
  accountPagesAt,
  accountPagesId,
  applicationManagedBy,
  type Client,
  type ClientKind,
  clientById,
  credentialsAt,
  type KeptCredential,
  type KeyedRegistration,
  operatorScopes,
  ownScopes,
  type PeerSetting,
  peerKeysAt,
  registerAdmin,
  registerAgentsFor,
  registerApplication,
  registerClient,
  removeApplication,
  replaceApplication,
  saveCredentialsOf,
  saveWallet,
  scopesOf,
  tenantOfClient,
} from "./clients.ts";
export { type Confirmation, confirmAll, type Entries, noEntries, type ToConfirm } from "./confirmation.ts";
export { createKnownClients, type KnownClient, type KnownClients } from "./known-clients.ts";
export { type AuthMethod, authMethods, type ClientMetadata } from "./metadata.ts";
export { nameOfAgent } from "./names.ts";
export { hasPlainHead, type PlainRequest, peekBody, readPlainRequest } from "./plain-request.ts";
export { createSecrets, type Secrets } from "./secrets.ts";
export { setupTokenRoutes } from "./setup-tokens.http.ts";
export { readAgentSetup } from "./setup-tokens.sql.ts";
export {
  issueSetupToken,
  readSetupToken,
  type Setup,
  type SetupKind,
  useSetupToken,
} from "./setup-tokens.ts";
