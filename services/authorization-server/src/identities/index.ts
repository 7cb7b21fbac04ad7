export { admissionRoutes } from "./admissions.http.ts";
export type { Arrival } from "./arrive.ts";
export type { Pending } from "./decide.ts";
export {
  createIdentities,
  forgetProvider,
  type Identities,
  type Identity,
  identityTables,
  unlinkAll,
} from "./identities.ts";
export { type Came, hasIdentity } from "./linking.ts";
