export {
  type Aal,
  type Acr,
  type Amr,
  type Assurance,
  acrOf,
  acrs,
  assuranceOf,
  levelOf,
  Proof,
} from "./assurance.ts";
export { isFreshlyProven, requireFreshProof } from "./fresh-proof.ts";
export { requireSignInLately, requireSure, requireSureOf, type SureDeps } from "./sure.ts";
