import { after, type Id, type Instant, parseId, secondMs } from "@remit/kernel";
import { claimFirstUse } from "@remit/platform/once";
import type { TenantTx } from "@remit/platform/sql";
import { mayBeBearer, newEvent, Problem, scopes } from "@remit/protocol";
import type { ClientSource, GrantAnswer, GrantCall } from "../oidc/index.ts";
import type { Quotas } from "../quotas/index.ts";
import { allowsBearer } from "../tenants/index.ts";
import { admitBy, type BearerDeps, jwtBearer } from "./jwt-bearer.ts";
import { createTrust, registeringTrusts, stillStands, trustById } from "./trusts.ts";

export type WorkflowDeps = BearerDeps & {
  readonly clientOf: ClientSource;
  /** As at the token endpoint: counted once somebody trusted has said it, so that nobody uses up another's. */
  readonly quotas: Quotas;
};

/** What a token lives that registers an agent. */
const registeringLifeS = 300;

export type WorkflowAsk = {
  readonly token: string;
  readonly scope: string | undefined;
  readonly now: Instant;
};

/**
 * A token for an agent by what GitHub says of a workflow, as the AgentIdP API asks for it: the JWT grant in other words,
 * for tokens without a key. To a stranger all refusals but that of the scope are one.
 */
export async function tokenForAgent(
  deps: WorkflowDeps,
  { agent, token, scope, now }: WorkflowAsk & { readonly agent: Id<"agent"> },
): Promise<GrantAnswer> {
  const client = await deps.clientOf(agent);
  if (client?.live !== true) throw nobodySaid();
  if (!(await deps.db.of(client.tenant).transaction(allowsBearer))) throw new Problem("bound_token_required");
  const sent: Readonly<Record<string, string | undefined>> = { assertion: token, scope };
  const call: GrantCall = {
    client: { id: client.id, kind: client.kind, tenant: client.tenant, authenticated: false, bearer: false },
    now,
    thumbprint: undefined,
    param: (name) => sent[name],
    list: () => [],
    target: async () => ({ audience: deps.issuer, scopes: scopes.filter(mayBeBearer) }),
  };
  try {
    return await jwtBearer(deps, deps.quotas).handle(call);
  } catch (error) {
    if (error instanceof Problem && error.code === "unauthorized_client") throw nobodySaid();
    if (error instanceof Problem && error.code === "invalid_dpop_proof")
      throw new Problem("bound_token_required");
    throw error;
  }
}

/**
 * A token for a workflow that is no agent yet: it registers agents, which may pay under a mandate and no more until
 * their operator says so, and does nothing else (`confine.ts`). Its client is the trust itself.
 */
export async function tokenToRegister(
  deps: WorkflowDeps,
  { tenant, token, now }: WorkflowAsk & { readonly tenant: Id<"tenant"> },
): Promise<GrantAnswer> {
  const known = await deps.db.of(tenant).transaction((tx) => registeringTrusts(tx, now));
  if (known.length === 0) throw nobodySaid();
  const { trust, proven } = await admitBy(deps, known, { assertion: token, now });
  await deps.quotas.take("tokens", { id: trust.id, tenant });
  const draft = await deps.db.of(tenant).transaction(async (tx) => {
    if (!(await stillStands(tx, trust, now))) throw nobodySaid();
    if (!(await allowsBearer(tx))) throw new Problem("bound_token_required");
    if (proven.once !== undefined && !(await claimFirstUse(tx, proven.once.key, proven.once.until)))
      throw nobodySaid();
    const decided = {
      client: trust.id,
      subject: trust.id,
      tenant,
      audience: deps.issuer,
      scopes: ["agents:write"],
      lifeS: registeringLifeS,
      thumbprint: undefined,
      inherited: { trust: trust.id },
    };
    const drafted = deps.mint.draft(decided);
    const payload = {
      trust: trust.id,
      kind: trust.rules.kind,
      audience: deps.issuer,
      scope: "agents:write",
      bearer: true,
    };
    const facts = { tenant, actor: { type: "client", id: trust.id } as const, subject: drafted.jti, payload };
    await tx.record(newEvent("token.issued", facts, now));
    return drafted;
  });
  return {
    access_token: await deps.mint.sign(draft),
    token_type: "Bearer",
    expires_in: registeringLifeS,
    scope: "agents:write",
  };
}

/** The trust by which a workflow registered an agent holds for that agent from then on: the same rules, what it gives. */
export async function trustRegistered(
  tx: TenantTx,
  { agent, by: client, now }: { readonly agent: Id<"agent">; readonly by: string; readonly now: Instant },
): Promise<void> {
  const by = parseId("trust", client);
  if (by === undefined) return;
  const trust = await trustById(tx, by);
  if (!(await stillStands(tx, trust, now))) throw new Problem("invalid_token");
  const { name, scopes: given, bearer, rules, expiresAt } = trust;
  const actor = { type: "client", id: by } as const;
  const wanted = { name, client: agent, scopes: given, bearer, rules, expiresAt, parent: by };
  await createTrust(tx, wanted, { actor, now });
}

export const endOf = ({ expires_in }: GrantAnswer, now: Instant): Instant =>
  after(now, expires_in * secondMs);

const nobodySaid = (): Problem =>
  new Problem("invalid_grant", { detail: "Nobody who is trusted has said this, to us and for now." });
