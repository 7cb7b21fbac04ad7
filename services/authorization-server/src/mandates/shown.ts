import { type Instant, toRfc3339 } from "@remit/kernel";
import type { Caller } from "@remit/platform/http";
import { type Actor, describeMandate, Problem } from "@remit/protocol";
import type { MandateBody } from "@remit/protocol/contracts";
import type { z } from "zod";
import { minorOf, remainingOf, type UsedWindow } from "./budget.ts";
import { assetOfMandate, standingOfMandate } from "./mandates.ts";
import type { MandateWithBudget } from "./reading.ts";

/** Another's is refused exactly as what does not exist (T01). */
export const noSuchMandate = (): Problem => new Problem("not_found", { detail: "There is no such mandate." });

/** Who does it, for the event. */
export const actorOf = ({ actor }: Caller): Actor =>
  actor.type === "service" ? { type: "system", id: actor.id } : { type: actor.type, id: actor.id };

/** A mandate as its principal and its agent see it. */
export function bodyOf(
  { mandate, budget, windows }: MandateWithBudget,
  now: Instant,
): z.input<typeof MandateBody> {
  const { details, expiresAt } = mandate;
  const asset = assetOfMandate(details);
  return {
    id: mandate.id,
    status: standingOfMandate(mandate, budget, now),
    agent_id: mandate.agent,
    currency: details.currency,
    amount_minor: details.amount_minor,
    per_charge_minor: details.per_charge_minor ?? null,
    cap_minor: minorOf(asset, budget.cap),
    held_minor: minorOf(asset, budget.held),
    spent_minor: minorOf(asset, budget.spent),
    remaining_minor: minorOf(asset, remainingOf(budget)),
    merchants: [...(details.merchants ?? [])],
    categories: [...(details.categories ?? [])],
    rails: [...(details.rails ?? [])],
    uses: details.uses,
    also_accepts: [...(details.also_accepts ?? [])],
    offer_digest: details.offer_digest ?? null,
    line_items: [...(details.line_items ?? [])],
    velocity: (details.velocity ?? []).map((rule) => ({ ...rule, zone: rule.zone ?? "UTC" })),
    windows: windows.map((window) => windowOf(window, mandate.details)),
    step_up: [...(details.step_up ?? [])],
    purpose: details.purpose ?? null,
    instrument_id: details.instrument ?? null,
    sentences: [...describeMandate({ details, validUntil: expiresAt })],
    auto: mandate.auto,
    parent_id: mandate.ancestors.at(-1) ?? null,
    frozen: mandate.frozenAt !== undefined,
    livemode: mandate.livemode,
    valid_from: toRfc3339(mandate.issuedAt),
    valid_until: toRfc3339(expiresAt),
    created_at: toRfc3339(mandate.issuedAt),
    narrowed_at: mandate.narrowedAt === undefined ? null : toRfc3339(mandate.narrowedAt),
    revoked_at: mandate.revokedAt === undefined ? null : toRfc3339(mandate.revokedAt),
  };
}

function windowOf(
  { velocity, amount, uses, opensAt }: UsedWindow,
  details: MandateWithBudget["mandate"]["details"],
): z.input<typeof MandateBody>["windows"][number] {
  const asset = assetOfMandate(details);
  return {
    period: velocity.period,
    zone: velocity.zone,
    opens_at: toRfc3339(opensAt),
    amount_minor: velocity.amount === undefined ? null : minorOf(asset, velocity.amount),
    used_minor: minorOf(asset, amount),
    count: velocity.count ?? null,
    used_count: uses,
  };
}
