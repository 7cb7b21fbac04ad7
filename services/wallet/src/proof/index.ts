export { checkReceipt, type ProofOutcome, type ProofStep, proofSteps } from "./proof.ts";
