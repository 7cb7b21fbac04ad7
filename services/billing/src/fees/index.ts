export { feeRoutes } from "./fees.http.ts";
export { type Collection, feeOf, type TermsInForce } from "./fees.ts";
export { type Subject, termsOf } from "./schedules.ts";
