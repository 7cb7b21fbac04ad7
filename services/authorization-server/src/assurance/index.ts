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
export { requireSure, requireSureOf, type SureDeps } from "./sure.ts";
