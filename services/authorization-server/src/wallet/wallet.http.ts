import { type Id, type Instant, parseId, toRfc3339 } from "@remit/kernel";
import { type Caller, type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { idOf, WalletAgent, WalletAgentList, WalletStanding, WalletTotals } from "@remit/protocol/contracts";
import { z } from "zod";
import { requireSureOf, type SureDeps } from "../assurance/index.ts";
import { actorOf, type Mandates, minorOf, totalsOf } from "../mandates/index.ts";
import { readAgents, type SeenAgent } from "./wallet.ts";

const Path = z.strictObject({ id: idOf("agent") });
const Page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: idOf("agent").optional(),
  /** Only these, with commas between them. */
  ids: z.string().max(4_000).optional(),
});

export type WalletDeps = SureDeps & {
  readonly db: Database;
  readonly mandates: Pick<Mandates, "freezeWithin">;
  /** As its owner wrote it. */
  readonly nameOf: (agent: Id<"agent">) => Promise<string>;
};

/** What a principal sees of the agents that act for it, and its brakes. */
export const walletRoutes = (deps: WalletDeps): Route[] => [
  totalsRoute(deps),
  listRoute(deps),
  readRoute(deps),
  brakeRoute(deps, { verb: "freeze", summary: "Stop an agent: nothing is charged under its mandates" }),
  brakeRoute(deps, { verb: "unfreeze", summary: "Let a frozen agent use its mandates again" }),
  brakeAllRoute(deps, { verb: "freeze", summary: "Stop every agent at once" }),
  brakeAllRoute(deps, {
    verb: "unfreeze",
    summary: "Lift the brake on all agents; those frozen alone stay so",
  }),
];

const totalsRoute = ({ db }: WalletDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/wallet/totals",
    summary: "What may be spent, was spent and is held in each currency, under all mandates together",
    needs: { scope: "wallet:read" },
    answers: { 200: WalletTotals },
    handle: async ({ caller, now }) => {
      const totals = await db.of(caller.tenant).transaction((tx) => totalsOf(tx, now));
      const data = totals.map(({ asset, mandates, allowed, spent, held, room }) => ({
        currency: asset.code,
        mandates,
        allowed_minor: minorOf(asset, allowed),
        spent_minor: minorOf(asset, spent),
        held_minor: minorOf(asset, held),
        spendable_minor: minorOf(asset, room),
      }));
      return { status: 200, body: { data } };
    },
  });

const listRoute = (deps: WalletDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/wallet/agents",
    summary: "The agents that the caller's tenant has given mandates to",
    needs: { scope: "wallet:read" },
    query: Page,
    answers: { 200: WalletAgentList, 400: "invalid_request" },
    handle: async ({ caller, now }, { query: { limit, cursor, ids } }) => {
      const page = {
        after: cursor,
        limit: limit + 1,
        among: ids === undefined ? undefined : idsIn(ids),
        now,
      };
      const { agents, allFrozenAt } = await readAgents(deps.db.of(caller.tenant), page);
      const shown = agents.slice(0, limit);
      const data = await Promise.all(shown.map((agent) => bodyOf(deps, agent)));
      const next = agents.length > limit ? (shown.at(-1)?.id ?? null) : null;
      return { status: 200, body: { all_frozen: allFrozenAt !== undefined, data, next_cursor: next } };
    },
  });

function idsIn(listed: string): Id<"agent">[] {
  return listed.split(",").map((one) => {
    const id = parseId("agent", one);
    if (id === undefined) throw new Problem("invalid_request", { detail: `ids: ${one} is no agent's.` });
    return id;
  });
}

const readRoute = (deps: WalletDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/wallet/agents/:id",
    summary: "One agent that the caller's tenant has given mandates to",
    needs: { scope: "wallet:read" },
    params: Path,
    answers: { 200: WalletAgent, 404: "not_found" },
    handle: async ({ caller, now }, { params: { id } }) => ({
      status: 200,
      body: await existing(deps, { caller, id, now }),
    }),
  });

type Brake = { readonly verb: "freeze" | "unfreeze"; readonly summary: string };

/** A person stops at once; to let go needs a sign-in as giving a mandate does. */
const refusalsOf = (verb: Brake["verb"]) =>
  verb === "unfreeze" ? ({ 401: "insufficient_user_authentication" } as const) : {};

const criticalityOf = (verb: Brake["verb"]) => (verb === "freeze" ? "critical" : "sheddable");

const brakeRoute = (deps: WalletDeps, { verb, summary }: Brake): Route =>
  route({
    method: "POST",
    path: `/api/v1/wallet/agents/:id/${verb}`,
    summary,
    needs: { scope: "wallet:write" },
    criticality: criticalityOf(verb),
    params: Path,
    body: z.strictObject({}),
    answers: { 200: WalletAgent, ...refusalsOf(verb), 404: "not_found" },
    handle: async ({ caller, now }, { params: { id } }) => {
      if (verb === "unfreeze") await requireSureOf(deps, { caller, now });
      const braking = { agent: id, frozen: verb === "freeze", actor: actorOf(caller), now };
      await deps.db.of(caller.tenant).transaction((tx) => deps.mandates.freezeWithin(tx, braking));
      return { status: 200, body: await existing(deps, { caller, id, now }) };
    },
  });

const brakeAllRoute = (deps: WalletDeps, { verb, summary }: Brake): Route =>
  route({
    method: "POST",
    path: `/api/v1/wallet/${verb}`,
    summary,
    needs: { scope: "wallet:write" },
    criticality: criticalityOf(verb),
    body: z.strictObject({}),
    answers: { 200: WalletStanding, ...refusalsOf(verb) },
    handle: async ({ caller, now }) => {
      if (verb === "unfreeze") await requireSureOf(deps, { caller, now });
      const frozen = verb === "freeze";
      const braking = { agent: undefined, frozen, actor: actorOf(caller), now };
      await deps.db.of(caller.tenant).transaction((tx) => deps.mandates.freezeWithin(tx, braking));
      const page = { after: undefined, limit: 1, now };
      const { allFrozenAt } = await readAgents(deps.db.of(caller.tenant), page);
      const at = allFrozenAt === undefined ? null : toRfc3339(allFrozenAt);
      return { status: 200, body: { all_frozen: at !== null, all_frozen_at: at } };
    },
  });

async function existing(
  deps: WalletDeps,
  { caller, id, now }: { readonly caller: Caller; readonly id: Id<"agent">; readonly now: Instant },
): Promise<z.input<typeof WalletAgent>> {
  const page = { after: undefined, limit: 1, among: [id], now };
  const [found] = (await readAgents(deps.db.of(caller.tenant), page)).agents;
  if (found === undefined) throw new Problem("not_found", { detail: "There is no such agent." });
  return bodyOf(deps, found);
}

const bodyOf = async (deps: WalletDeps, agent: SeenAgent): Promise<z.input<typeof WalletAgent>> => ({
  id: agent.id,
  name: await deps.nameOf(agent.id),
  status: agent.status,
  frozen: agent.frozenAt !== undefined,
  frozen_at: agent.frozenAt === undefined ? null : toRfc3339(agent.frozenAt),
  known_since: toRfc3339(agent.knownAt),
  mandates: agent.mandates,
  remaining: [...agent.remaining],
});
