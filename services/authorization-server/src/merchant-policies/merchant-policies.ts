import type { Id, Instant, Money } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent, Problem, type Rail } from "@remit/protocol";
import type { SetMerchantPolicy } from "@remit/protocol/contracts";
import * as rows from "./merchant-policies.sql.ts";

export type Policy = SetMerchantPolicy;
export type KeptPolicy = { readonly version: number; readonly policy: Policy; readonly changedAt: Instant };

/** What comes to a merchant, as it is about to be held. */
export type Coming = {
  readonly amount: Money;
  readonly agent: Id<"agent">;
  readonly issuer: string;
  readonly rail: Rail;
};

export type PolicyObjection = "max_charge" | "agent" | "issuer" | "rail";

/** What of a policy speaks against it; what a policy does not name is open. */
export function objectionTo(
  policy: Policy,
  { amount, agent, issuer, rail }: Coming,
): PolicyObjection | undefined {
  const limit = policy.max_charge.find(({ currency }) => currency === amount.asset.code);
  if (limit !== undefined && amount.units > BigInt(limit.amount_minor)) return "max_charge";
  if (policy.agents_refused.includes(agent)) return "agent";
  if (policy.agents_allowed.length > 0 && !policy.agents_allowed.includes(agent)) return "agent";
  if (policy.issuers_allowed.length > 0 && !policy.issuers_allowed.includes(issuer)) return "issuer";
  return policy.rails_refused.includes(rail) ? "rail" : undefined;
}

type To = { readonly payee: Id<"tenant">; readonly merchant: Id<"merchant"> };

/** What the payee accepts, kept as read until the payer's transaction that asks has made its charge. */
export const policyFor = (tx: TenantTx, to: To): Promise<Policy | undefined> => rows.policyFor(tx, to);

/** Once the payer's side admits it: refused, nothing of it is written. */
export function assertAccepted(policy: Policy | undefined, coming: Coming): void {
  const refusedBy = policy && objectionTo(policy, coming);
  if (refusedBy !== undefined)
    throw new Problem("merchant_policy_refused", { extra: { refused_by: refusedBy } });
}

export const policyOf = (tx: TenantTx, merchant: Id<"merchant">): Promise<KeptPolicy | undefined> =>
  rows.findPolicy(tx, merchant);

export type PolicyChange = {
  readonly merchant: Id<"merchant">;
  /** The version that it is of. */
  readonly of: number;
  readonly to: Policy;
  readonly actor: Actor;
  readonly now: Instant;
};

/** What is held already goes on; the next charge is judged by this. */
export async function changePolicy(
  tx: TenantTx,
  { merchant, of, to, actor, now }: PolicyChange,
): Promise<KeptPolicy> {
  if (new Set(to.max_charge.map(({ currency }) => currency)).size < to.max_charge.length)
    throw new Problem("invalid_request", { detail: "Two limits are for the same currency." });
  const kept = { version: of + 1, policy: to, changedAt: now };
  if (!(await rows.savePolicy(tx, merchant, kept))) throw new Problem("precondition_failed");
  const payload = { version: kept.version, policy: JSON.stringify(to) };
  await tx.record(
    newEvent("merchant.policy_changed", { tenant: tx.tenant, actor, subject: merchant, payload }, now),
  );
  return kept;
}
