export { verifyEvidenceFile } from "./evidence.ts";
export { keepKeys } from "./trust.ts";
export { type VerifyOptions, verify } from "./verify.ts";
