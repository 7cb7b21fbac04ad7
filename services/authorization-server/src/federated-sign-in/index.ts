export {
  createFederatedSignIn,
  type FederatedDeps,
  type FederatedSignIn,
  federatedSignInTables,
} from "./federated-sign-in.http.ts";
export { visitJobs } from "./visits.jobs.ts";
export { createVisits } from "./visits.ts";
