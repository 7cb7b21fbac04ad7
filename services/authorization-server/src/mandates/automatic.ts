import { type Id, type Instant, toRfc3339 } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { type MandateDetails, type MandateRequest, Problem, type PublicJwk } from "@remit/protocol";
import type { NarrowMandate } from "@remit/protocol/contracts";
import { type HandingOn, handOnWithin } from "./handing-on.ts";
import * as rows from "./mandates.sql.ts";
import type { IssuedMandate, IssueMandate, Mandate } from "./mandates.ts";
import { narrowedTerms } from "./narrowing.ts";

/** A rule without a cap and a period cannot be saved: each grant out of it would be as good as money. */
export function assertMayBeAutomatic(details: MandateDetails): void {
  if (
    details.uses === "multiple" &&
    details.velocity?.some((rule) => rule.amount_minor !== undefined) === true
  )
    return;
  throw new Problem("invalid_authorization_details", {
    detail: "What is granted without asking needs an amount for a period, and more than one use.",
  });
}

export type AskedAutomatic = {
  readonly agent: Id<"agent">;
  readonly principal: Id<"account">;
  readonly request: MandateRequest;
  readonly now: Instant;
};

const lookedAtMax = 20;

/** The oldest standing mandate of the agent out of which this can be granted without asking; none, and it is asked. */
export async function automaticFor(tx: TenantTx, asked: AskedAutomatic): Promise<Id<"mandate"> | undefined> {
  const standing = await rows.automaticMandates(tx, { ...asked, limit: lookedAtMax });
  return standing.find((mandate) => mandate.state === "active" && fits(mandate, asked))?.id;
}

function fits(mandate: Mandate, { request, now }: AskedAutomatic): boolean {
  try {
    narrowedTerms(mandate, narrowingOf(mandate, request), now);
    return true;
  } catch (error) {
    if (error instanceof Problem) return false;
    throw error;
  }
}

/** What is asked for, as a narrowing of the mandate. Throws `mandate_would_widen` for what no narrowing can say. */
function narrowingOf(
  { details, expiresAt }: Mandate,
  { details: asked, validUntil }: MandateRequest,
): NarrowMandate {
  const accepts = (asset: string): boolean =>
    details.also_accepts?.some((one) => one.asset.toLowerCase() === asset.toLowerCase()) === true;
  if (
    asked.currency !== details.currency ||
    asked.also_accepts?.some(({ asset }) => !accepts(asset)) === true
  )
    throw new Problem("mandate_would_widen", { extra: { member: "currency" } });
  const { per_charge_minor, merchants, categories, rails, velocity, step_up } = asked;
  const until = validUntil < expiresAt ? validUntil : expiresAt;
  return {
    amount_minor: asked.amount_minor,
    ...(per_charge_minor === undefined ? {} : { per_charge_minor }),
    ...(merchants === undefined ? {} : { merchants: [...merchants] }),
    ...(categories === undefined ? {} : { categories: [...categories] }),
    ...(rails === undefined ? {} : { rails: [...rails] }),
    ...(velocity === undefined ? {} : { velocity: [...velocity] }),
    ...(step_up === undefined ? {} : { step_up: [...step_up] }),
    ...(asked.uses === "single" ? { uses: "single" as const } : {}),
    valid_until: toRfc3339(until),
  };
}

export type AutomaticGrant = AskedAutomatic & {
  readonly parent: Id<"mandate">;
  readonly tenant: Id<"tenant">;
  readonly holder: PublicJwk;
};

/** Grants it out of a standing mandate, which is read again under its lock: what has become too much is refused. */
export async function grantAutomatic(
  issue: (tx: TenantTx, input: IssueMandate) => Promise<IssuedMandate>,
  tx: TenantTx,
  grant: AutomaticGrant,
): Promise<IssuedMandate> {
  const { parent: id, agent, tenant, holder, request, now } = grant;
  const parent = await rows.findMandate(tx, id);
  if (parent?.auto !== true || parent.principal !== grant.principal)
    throw new Problem("not_found", { detail: "There is no such mandate." });
  const { also_accepts, line_items, offer_digest, purpose } = request.details;
  const more: HandingOn["more"] = { also_accepts, line_items, offer_digest, purpose };
  const to = { agent, tenant, holder };
  return handOnWithin(issue, tx, {
    parent: id,
    by: agent,
    to,
    asked: narrowingOf(parent, request),
    more,
    now,
  });
}
