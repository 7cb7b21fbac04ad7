import type { MandateBody, WalletAgent, WalletCharge } from "@remit/protocol/contracts";

/** A merchant as people know it: its host. */
export const hostOf = (origin: string): string => URL.parse(origin)?.host ?? origin;

/** The last signs of an id, enough to tell two apart. */
export const shortId = (id: string): string => `…${id.slice(-6)}`;

export const agentNames = (agents: readonly WalletAgent[]): ReadonlyMap<string, string> =>
  new Map(agents.map(({ id, name }) => [id, name]));

export type MandateState = MandateBody["status"] | "frozen";

/** A freeze goes before what the mandate itself says, while it could be used at all. */
export const stateOf = ({ status, frozen }: MandateBody): MandateState =>
  frozen && (status === "active" || status === "suspended") ? "frozen" : status;

export type Mark = "live" | "waits" | "stopped" | "over";

const mandateMarks: Readonly<Record<MandateState, Mark>> = {
  active: "live",
  suspended: "stopped",
  frozen: "stopped",
  revoked: "over",
  expired: "over",
  exhausted: "over",
};
export const markOfMandate = (mandate: MandateBody): Mark => mandateMarks[stateOf(mandate)];

const chargeMarks: Partial<Record<WalletCharge["status"], Mark>> = {
  captured: "live",
  won: "over",
  lost: "over",
  declined: "over",
  released: "over",
  expired: "over",
  refunded: "over",
  disputed: "stopped",
};
export const markOfCharge = (status: WalletCharge["status"]): Mark => chargeMarks[status] ?? "waits";

/** What a charge comes to now: taken, set aside, or nothing. */
export function effectOf(charge: WalletCharge): number {
  if (charge.captured_minor > 0) return charge.captured_minor - charge.refunded_minor;
  return markOfCharge(charge.status) === "waits" ? charge.amount_minor : 0;
}
