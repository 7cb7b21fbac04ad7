import { type ProblemCode, problems } from "@remit/protocol";

type RefusedWith = { readonly [S in 400 | 402 | 403 | 409]: readonly ProblemCode[] };

const own = new Set<ProblemCode>([
  "access_denied",
  "agent_frozen",
  "agent_suspended",
  "approval_denied",
  "approval_expired",
  "approval_limit_reached",
  "authentication_required",
  "card_declined",
  "instrument_missing",
  "payouts_halted",
  "livemode_mismatch",
  "merchant_policy_refused",
  "not_found",
]);

/** Every way in which the verification of a charge's offer and presentation, and its decision, may end in a refusal. */
const codes = (Object.keys(problems) as ProblemCode[]).filter(
  (code) => own.has(code) || /^(?:charge|mandate|offer|presentation|merchant_nonce|rule)_/.test(code),
);

const having = (status: number): readonly ProblemCode[] =>
  codes.filter((code) => problems[code].status === status);

export const refusalsOfCharging: RefusedWith = {
  400: having(400),
  402: having(402),
  403: [...having(403), "merchant_not_verified"],
  409: having(409),
};

/** Of what comes after: capture, release, commit and refund. */
export const refusalsOfSettling = {
  403: [
    "mandate_revoked",
    "mandate_expired",
    "mandate_suspended",
    "charge_mandate_revoked",
    "client_not_allowed",
  ],
  404: "not_found",
  409: [
    "charge_state_conflict",
    "charge_in_progress",
    "charge_capture_too_late",
    "charge_refund_exceeds_captured",
    "refund_refused",
  ],
  502: "outbound_failed",
} as const satisfies Readonly<Record<number, ProblemCode | readonly ProblemCode[]>>;
