export { issueSdJwt, type SdJwtDraft, type SdJwtTools } from "./issue.ts";
export { type Disclose, presentSdJwt } from "./present.ts";
export {
  type ClaimPath,
  type Disclosure,
  disclosuresMax,
  type OpenedClaims,
  openClaims,
  readDisclosure,
  type SdJwtParts,
  splitSdJwt,
} from "./read.ts";
