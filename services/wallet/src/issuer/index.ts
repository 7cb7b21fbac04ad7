export { clientId, createIssuer, type Issuer, type IssuerAnswer, type PersonAnswer } from "./issuer.ts";
