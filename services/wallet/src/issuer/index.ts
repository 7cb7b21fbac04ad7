export { clientId, createIssuer, type Issuer, type PersonAnswer } from "./issuer.ts";
