import { assetOf, type Id, invariant, parseId, toRfc3339 } from "@remit/kernel";
import { type Route, route, versionIn } from "@remit/platform/http";
import type { Database, Sql, TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { SetWalletRules, WalletRules } from "@remit/protocol/contracts";
import type { z } from "zod";
import { requireSure } from "../assurance/index.ts";
import { actorOf, minorOf, type StandingUse, usesOfLimits } from "../mandates/index.ts";
import { changeRules, type KeptLimit, keptRules, limitOf } from "./rules.ts";

export type RulesDeps = {
  readonly db: Database;
  readonly livemode: boolean;
  readonly factors: { hasSecondWithin(tx: Sql, account: Id<"account">): Promise<boolean> };
};

const path = "/api/v1/wallet/rules";

/** What a principal decides for all of its mandates. */
export const rulesRoutes = (deps: RulesDeps): Route[] => [readRoute(deps), changeRoute(deps)];

const readRoute = ({ db }: RulesDeps): Route =>
  route({
    method: "GET",
    path,
    summary: "The principal's rules over all its mandates, and what their limits have counted",
    needs: { scope: "wallet:read" },
    answers: { 200: WalletRules },
    handle: ({ caller }) => db.of(caller.tenant).transaction(answer),
  });

/** A person tightens at once; what lets more pass needs a sign-in as giving a mandate does. */
const changeRoute = ({ db, livemode, factors }: RulesDeps): Route =>
  route({
    method: "PUT",
    path,
    summary: "Put other rules in their place, as they were read with the ETag in If-Match",
    needs: { scope: "wallet:write" },
    body: SetWalletRules,
    answers: {
      200: WalletRules,
      400: "invalid_request",
      401: "insufficient_user_authentication",
      403: "forbidden",
      412: "precondition_failed",
      428: "precondition_required",
    },
    limit: { count: 60, windowMs: 60_000, by: "tenant" },
    handle: async (call, { body }) => {
      const { caller, now } = call;
      const of = versionIn(call.header("if-match"));
      const person = parseId("account", caller.subject);
      if (person === undefined)
        throw new Problem("forbidden", { detail: "Only a person changes the rules." });
      return db.of(caller.tenant).transaction(async (tx) => {
        const within = { hasSecond: (account: Id<"account">) => factors.hasSecondWithin(tx, account) };
        const sure = (): Promise<void> => requireSure({ livemode, factors: within }, { caller, person, now });
        await changeRules(tx, { of, to: body, actor: actorOf(caller), now, sure });
        return answer(tx);
      });
    },
  });

async function answer(tx: TenantTx): Promise<{
  status: 200;
  body: z.input<typeof WalletRules>;
  headers: Record<string, string>;
}> {
  const { version, limits, stepUp, blockedMerchants, blockedCategories, changedAt } = await keptRules(tx);
  const uses = await usesOfLimits(tx, limits.map(limitOf));
  const body = {
    version,
    limits: limits.map((limit, at) => ({ ...limit, used: usedOf(limit, uses[at]) })),
    step_up: [...stepUp],
    blocked_merchants: [...blockedMerchants],
    blocked_categories: [...blockedCategories],
    changed_at: changedAt === undefined ? null : toRfc3339(changedAt),
  };
  return { status: 200, body, headers: { etag: `"${version}"`, "cache-control": "no-store" } };
}

function usedOf({ currency }: KeptLimit, use: StandingUse | undefined) {
  const asset = assetOf(currency);
  invariant(asset !== undefined && use !== undefined, "a limit has its currency and its period");
  return { opens_at: toRfc3339(use.opensAt), amount_minor: minorOf(asset, use.amount), count: use.uses };
}
