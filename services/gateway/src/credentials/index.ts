export { type Credential, readCredential } from "./credentials.ts";
export { type VerifiedCredential, type VerifierDeps, verifyCredential } from "./verified.ts";
