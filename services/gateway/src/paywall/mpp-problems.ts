import type { ProblemCode } from "@remit/protocol";

const base = "https://paymentauth.org/problems/";

// draft-httpauth-payment, "Error Codes": what is none of these is a failed verification.
const names: Partial<Record<ProblemCode, string>> = {
  authentication_required: "payment-action-required",
  challenge_invalid: "invalid-challenge",
  content_digest_mismatch: "invalid-challenge",
  credential_malformed: "malformed-credential",
  offer_changed: "invalid-challenge",
  payment_expired: "payment-expired",
  payment_method_unsupported: "method-unsupported",
  payment_required: "payment-required",
};

/** The type of a refusal, as clients of MPP know it. */
export const mppProblemType = (code: ProblemCode): string => base + (names[code] ?? "verification-failed");
