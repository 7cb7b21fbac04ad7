import type { Instant } from "@remit/kernel";
import { claimFirstUse } from "@remit/platform/once";
import type { Database } from "@remit/platform/sql";
import { isScope, mayBeBearer, newEvent, Problem, parseScope, payloadOf } from "@remit/protocol";
import {
  type CustomGrant,
  type GrantAnswer,
  type GrantCall,
  jwtBearerGrant,
  type Target,
} from "../oidc/index.ts";
import type { Quotas } from "../quotas/index.ts";
import { allowsBearer } from "../tenants/index.ts";
import type { Mint, TokenFacts } from "../tokens/index.ts";
import { type AssertionDeps, examineAssertion, type Proven } from "./assertion.ts";
import type { InboundRules } from "./rules.ts";
import { stillStands, type Trust, trustedLifeS, trustsIn } from "./trusts.ts";

export type BearerDeps = AssertionDeps & { readonly db: Database; readonly mint: Mint };
type Deps = BearerDeps;

type Inbound = Trust & { readonly rules: InboundRules };
export type Admitted = { readonly trust: Inbound; readonly proven: Proven };

/**
 * The JWT authorization grant (RFC 7523 §2.1): somebody whom the agent's tenant trusts says that this workload is that
 * agent. `client_id` names the agent; it need not authenticate besides, except for an ID-JAG, which names its client.
 * Refusals are final (SEP-1933): the same assertion will not do better a second time.
 */
export const jwtBearer = (
  deps: Deps,
  /** What the plan of the agent's tenant allows: counted once the assertion is admitted, and before it is used up. */
  quotas: Pick<Quotas, "take">,
): CustomGrant => ({
  type: jwtBearerGrant,
  parameters: ["assertion"],
  handle: async (call) => {
    const assertion = call.param("assertion");
    if (assertion === undefined) throw new Problem("invalid_request", { detail: "assertion is missing." });
    if (call.client.kind !== "agent") throw unauthorized("Only an agent is vouched for.");
    const admitted = await admit(deps, call, assertion);
    // Whoever authenticated besides was counted then; by the assertion alone nobody knew yet for whom.
    if (!call.client.authenticated) await quotas.take("tokens", call.client);
    return issue(deps, call, admitted);
  },
});

/** The first trust whose rules admit the assertion. */
async function admit(deps: Deps, call: GrantCall, assertion: string): Promise<Admitted> {
  const { client, now } = call;
  const all = await deps.db.of(client.tenant).transaction((tx) => trustsIn(tx, client.id, now));
  if (!all.some(isInbound)) throw unauthorized("This agent's organization trusts nobody to vouch for it.");
  const admitted = await admitBy(deps, all, { assertion, now });
  checkClient(call, admitted.trust, admitted.proven);
  return admitted;
}

/** The first of these whose rules admit the assertion. */
export async function admitBy(
  deps: AssertionDeps,
  trusts: readonly Trust[],
  { assertion, now }: { readonly assertion: string; readonly now: Instant },
): Promise<Admitted> {
  const reasons: Record<string, string> = {};
  for (const trust of trusts.filter(isInbound)) {
    const found = await examineAssertion(deps, { assertion, rules: trust.rules, now });
    if ("claims" in found) return { trust, proven: found };
    reasons[trust.id] = found.because;
  }
  // To the sender all of it is one refusal; what exactly was wrong helps the operator, and whoever probes.
  throw new Problem("invalid_grant", {
    detail: "Nobody whom the agent's organization trusts has said this, to us and for now.",
    private: { reasons, iss: shortened(payloadOf(assertion)?.["iss"]) },
  });
}

const isInbound = (trust: Trust): trust is Inbound => trust.rules.kind !== "id_jag_issue";

const shortened = (value: unknown): string => String(value).slice(0, 200);

/** Identity assertion grant §4.4.1: the assertion is for one client, which authenticates. */
function checkClient({ client }: GrantCall, { rules }: Inbound, { claims }: Proven): void {
  if (rules.kind !== "id_jag") return;
  if (!client.authenticated)
    throw unauthorized("An identity assertion is redeemed by an authenticated client.");
  if (claims["client_id"] !== client.id) throw invalidGrant("The assertion is for another client.");
}

async function issue(deps: Deps, call: GrantCall, { trust, proven }: Admitted): Promise<GrantAnswer> {
  const { client, now, thumbprint } = call;
  const target = await targetOf(call, trust, proven);
  const scopes = scopesFor(call, { trust, proven, target });
  const { draft, facts } = await deps.db.of(client.tenant).transaction(async (tx) => {
    if (!(await stillStands(tx, trust, now))) throw invalidGrant("The trust has just ended.");
    if (thumbprint === undefined && !(trust.bearer && (await allowsBearer(tx))))
      throw new Problem("invalid_dpop_proof", {
        detail: "A DPoP proof of the agent's registered key is required.",
      });
    const { once } = proven;
    if (once !== undefined && !(await claimFirstUse(tx, once.key, once.until)))
      throw invalidGrant("The assertion has been used.");
    const decided: TokenFacts = {
      client: client.id,
      subject: client.id,
      tenant: client.tenant,
      audience: target.audience,
      scopes,
      lifeS: lifeOf(trust, now),
      thumbprint,
      inherited: { trust: trust.id },
    };
    const drafted = deps.mint.draft(decided);
    const payload = {
      grant_type: jwtBearerGrant,
      trust: trust.id,
      kind: trust.rules.kind,
      audience: target.audience,
      scope: scopes.join(" "),
      bearer: thumbprint === undefined,
    };
    const actor = { type: "agent", id: client.id } as const;
    await tx.record(
      newEvent("token.issued", { tenant: tx.tenant, actor, subject: drafted.jti, payload }, now),
    );
    return { draft: drafted, facts: decided };
  });
  return {
    access_token: await deps.mint.sign(draft),
    token_type: thumbprint === undefined ? "Bearer" : "DPoP",
    expires_in: facts.lifeS,
    scope: scopes.join(" "),
  };
}

/** An ID-JAG may name its resource, and then for no other (identity assertion grant §3, RFC 8707). */
async function targetOf(call: GrantCall, { rules }: Inbound, { claims }: Proven): Promise<Target> {
  const said = rules.kind === "id_jag" ? claims["resource"] : undefined;
  const one = Array.isArray(said) && said.length === 1 ? said[0] : said;
  if (one !== undefined && typeof one !== "string")
    throw invalidGrant("The assertion names no single resource.");
  const target = await call.target(one);
  if (one !== undefined && one !== target.audience)
    throw new Problem("invalid_target", { detail: "The assertion is for another resource." });
  return target;
}

/** What is asked for, or else all there is: of the trust, of the resource, of an ID-JAG, and without a key of bearers. */
function scopesFor(
  call: GrantCall,
  { trust, proven, target }: Admitted & { readonly target: Target },
): readonly string[] {
  const said = trust.rules.kind === "id_jag" ? proven.claims["scope"] : undefined;
  const allowed = trust.scopes.filter(
    (scope) =>
      target.scopes.includes(scope) &&
      (typeof said !== "string" || namesIn(said).includes(scope)) &&
      (call.thumbprint !== undefined || (isScope(scope) && mayBeBearer(scope))),
  );
  const sent = call.param("scope");
  const wanted = sent === undefined ? allowed : namesIn(sent);
  const beyond = wanted.filter((scope) => !allowed.includes(scope));
  if (beyond.length > 0 || wanted.length === 0)
    throw new Problem("invalid_scope", {
      detail: `The trust gives ${allowed.length === 0 ? "nothing" : allowed.join(" ")} here.`,
    });
  return wanted;
}

const namesIn = (scope: string): string[] => [
  ...new Set(
    scope
      .split(" ")
      .filter(Boolean)
      .map((name) => parseScope(name) ?? name),
  ),
];

function lifeOf({ expiresAt }: Trust, now: Instant): number {
  const left = expiresAt === undefined ? trustedLifeS : Math.floor((expiresAt - now) / 1_000);
  if (left < 1) throw invalidGrant("The trust has ended.");
  return Math.min(trustedLifeS, left);
}

const invalidGrant = (detail: string): Problem => new Problem("invalid_grant", { detail });
const unauthorized = (detail: string): Problem => new Problem("unauthorized_client", { detail });
