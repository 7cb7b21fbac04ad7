export { type Credential, readCredential } from "./credentials.ts";
