import { type Id, type Instant, parseId } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { type MandateDetails, Problem, type PublicJwk, parseMandateDetails } from "@remit/protocol";
import type { NarrowMandate } from "@remit/protocol/contracts";
import { meetAgent } from "../freezes/index.ts";
import * as rows from "./mandates.sql.ts";
import type { IssuedMandate, IssueMandate } from "./mandates.ts";
import { narrowedTerms } from "./narrowing.ts";
import { assertChainStands } from "./standing.ts";

/** A mandate has at most as many above it (design section 5: delegations are as deep). */
export const depthMax = 8;
/** Of one root that stand at a time: whoever ends it ends all of them in one transaction, with a lock for each. */
export const belowMax = 200;

type OwnMember = "also_accepts" | "line_items" | "offer_digest" | "purpose";
/** What of a mandate says what it is for, or narrows it in a way of its own. */
type Own = { readonly [M in OwnMember]?: MandateDetails[M] | undefined };

export type HandingOn = {
  readonly parent: Id<"mandate">;
  /** Who hands on: the agent that holds the parent. */
  readonly by: string;
  readonly to: { readonly agent: Id<"agent">; readonly tenant: Id<"tenant">; readonly holder: PublicJwk };
  /** What is named is narrower than the parent's; what is not is as the parent has it. */
  readonly asked: NarrowMandate;
  /** In place of the parent's own: what is left out here, it has not. */
  readonly more: Own;
  readonly now: Instant;
};

type Issue = (tx: TenantTx, input: IssueMandate) => Promise<IssuedMandate>;

/**
 * Hands a narrower mandate on, in the parent's tenant. The root is locked, so that those that stand below it are counted
 * right; every one of the chain is, so that of an end of one and this the later sees the other.
 */
export async function handOnWithin(
  issue: Issue,
  tx: TenantTx,
  { parent: id, by, to, asked, more, now }: HandingOn,
): Promise<IssuedMandate> {
  // Locks go brake, mandates.
  await meetAgent(tx, to.agent, now);
  const chain = await rows.findChain(tx, id, "update");
  const [root, parent] = [chain[0], chain.at(-1)];
  if (root === undefined || parent === undefined || parent.agent !== by) throw unknown();
  await assertChainStands(tx, chain, now);
  if (chain.length > depthMax)
    throw new Problem("delegation_limit_reached", { detail: `A chain has at most ${depthMax} links.` });
  if ((await rows.countBelow(tx, root.id, now)) >= belowMax)
    throw new Problem("delegation_limit_reached", {
      detail: `${belowMax} mandates that were handed on from one stand at a time.`,
    });
  const { details, expiresAt } = narrowedTerms(parent, asked, now);
  const { instrument: chosen, ...terms } = details;
  const instrument = parseId("instrument", chosen);
  return issue(tx, {
    request: { details: withOwn(terms, more), validUntil: expiresAt },
    agent: to.agent,
    agentTenant: to.tenant,
    holder: to.holder,
    principal: { account: parent.principal },
    consent: { at: now },
    ...(instrument === undefined ? {} : { instrument }),
    under: chain,
  });
}

/** Read as a request is; what is undefined is not there. */
const withOwn = (terms: MandateDetails, more: Own): MandateDetails =>
  parseMandateDetails(JSON.parse(JSON.stringify({ ...terms, ...more })));

const unknown = (): Problem => new Problem("not_found", { detail: "There is no such mandate." });
