export {
  catalogueOf,
  cataloguePath,
  type Document,
  merchantJwks,
  merchantJwksPath,
  merchantProof,
  merchantProofPath,
} from "./catalogue.ts";
