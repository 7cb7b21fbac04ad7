export { type Credential, doorOf, readCredential } from "./credentials.ts";
export { digestOfCredential } from "./digest.ts";
export { holderOf } from "./holder.ts";
export { type GenuineCredential, type VerifierDeps, verifyCredential } from "./verified.ts";
