import { type Id, toRfc3339 } from "@remit/kernel";
import { type Caller, type Route, route, versionIn } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { type Actor, Problem } from "@remit/protocol";
import { MerchantPolicy, SetMerchantPolicy } from "@remit/protocol/contracts";
import type { z } from "zod";
import { changePolicy, type KeptPolicy, policyOf } from "./merchant-policies.ts";

type Deps = {
  readonly db: Database;
  /** The merchant that a client is, and whose it is. */
  readonly merchantOf: (
    client: string,
  ) => Promise<{ readonly id: Id<"merchant">; readonly tenant: Id<"tenant"> } | undefined>;
};

const path = "/api/v1/merchant-policy";

/** What a merchant accepts of those who come with mandates: said by its own client. */
export const merchantPolicyRoutes = (deps: Deps): Route[] => [
  route({
    method: "GET",
    path,
    summary: "What the caller's merchant accepts of those who come with mandates",
    needs: { scope: "charges:write" },
    answers: { 200: MerchantPolicy, 403: "charge_merchant_unknown", 502: "outbound_failed" },
    handle: async ({ caller }) => {
      const merchant = await ownMerchant(deps, caller);
      return answer(merchant, await deps.db.of(caller.tenant).transaction((tx) => policyOf(tx, merchant)));
    },
  }),
  route({
    method: "PUT",
    path,
    summary: "Accept something else from now on, as it was read with the ETag in If-Match",
    needs: { scope: "charges:write" },
    body: SetMerchantPolicy,
    answers: {
      200: MerchantPolicy,
      400: "invalid_request",
      403: "charge_merchant_unknown",
      412: "precondition_failed",
      428: "precondition_required",
      502: "outbound_failed",
    },
    handle: async (call, { body }) => {
      const { caller, now } = call;
      const of = versionIn(call.header("if-match"));
      const merchant = await ownMerchant(deps, caller);
      const change = { merchant, of, to: body, actor: actorOf(caller), now };
      return answer(merchant, await deps.db.of(caller.tenant).transaction((tx) => changePolicy(tx, change)));
    },
  }),
];

async function ownMerchant({ merchantOf }: Deps, { client, tenant }: Caller): Promise<Id<"merchant">> {
  const merchant = await merchantOf(client);
  if (merchant === undefined || merchant.tenant !== tenant) throw new Problem("charge_merchant_unknown");
  return merchant.id;
}

const actorOf = ({ actor }: Caller): Actor =>
  actor.type === "service" ? { type: "system", id: actor.id } : { type: actor.type, id: actor.id };

function answer(merchant: Id<"merchant">, kept: KeptPolicy | undefined) {
  const version = kept?.version ?? 0;
  const body: z.input<typeof MerchantPolicy> = {
    ...kept?.policy,
    merchant_id: merchant,
    version,
    changed_at: kept === undefined ? null : toRfc3339(kept.changedAt),
  };
  return { status: 200 as const, body, headers: { etag: `"${version}"`, "cache-control": "no-store" } };
}
