import type { Clock } from "@remit/kernel";
import { createBatches } from "@remit/platform/batches";
import type { PageCall } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import {
  type ClientAuthentication,
  type Confirmation,
  confirmAll,
  hasPlainHead,
  type KnownClients,
  noEntries,
  type PlainRequest,
  peekBody,
  readPlainRequest,
  type ToConfirm,
} from "../clients/index.ts";
import type { Quotas } from "../quotas/index.ts";
import type { AskingClient } from "./askers.ts";
import type { TokenEndpoints } from "./endpoints.ts";
import type { TokenAnswer } from "./introspection-answer.ts";

export type PlainIntrospectionDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly known: KnownClients;
  readonly authentication: ClientAuthentication;
  readonly quotas: Quotas;
  readonly endpoints: TokenEndpoints;
};

/**
 * Introspection in front of the core, as `issuance` is for tokens: for agents, merchants and operators that prove
 * themselves in the plain way. `core` is for everything else, of which nothing has been claimed; `gone` is a body that
 * never came.
 */
export type PlainIntrospection = (call: PageCall) => Promise<TokenAnswer | "core" | "gone">;

const parameters = new Set([
  "token",
  "token_type_hint",
  "client_id",
  "client_secret",
  "client_assertion_type",
  "client_assertion",
]);

export function createPlainIntrospection(deps: PlainIntrospectionDeps): PlainIntrospection {
  const { db, clock } = deps;
  const how = () => ({ now: clock.now(), entriesOf: () => noEntries });
  const confirmations = createBatches({
    commit: (asked: readonly ToConfirm[]) => confirmAll(db.single, asked, how()),
  });
  return async (call) => {
    const { req } = call.raw;
    if (!hasPlainHead(req)) return "core";
    const body = await peekBody(req);
    if (body === undefined) return "gone";
    const request = readPlainRequest(req, body, parameters);
    const token = request?.form["token"];
    if (request === undefined || token === undefined || request.dpop !== undefined) return "core";
    return (await introspectFor({ ...deps, confirm: confirmations.add }, request, { token, call })) ?? "core";
  };
}

type Deciding = PlainIntrospectionDeps & { readonly confirm: (asked: ToConfirm) => Promise<Confirmation> };
type Wanted = { readonly token: string; readonly call: PageCall };

async function introspectFor(
  deps: Deciding,
  request: PlainRequest,
  { token, call }: Wanted,
): Promise<TokenAnswer | undefined> {
  // A client that has changed since this process read it is read again and asks again; nothing was claimed.
  for (let attempt = 1; attempt <= 2; attempt++) {
    const authenticated = await deps.authentication.authenticate(request, call.now);
    if (authenticated === undefined) return undefined;
    const { known, firstUse } = authenticated;
    const { client } = known;
    // Which way an application proves itself is for the core to read in what it registered.
    if (client.kind === "application") return undefined;
    const limits = attempt === 1 ? await deps.quotas.take("introspections", client) : {};
    const { changed, used } = await deps.confirm({
      known,
      firstUses: firstUse === undefined ? [] : [firstUse],
    });
    if (!changed) return used.length > 0 ? usedBefore : saidOf(deps, { client, token, call, limits });
    deps.known.forget(client.id);
  }
  return undefined;
}

type Said = Wanted & { readonly client: AskingClient; readonly limits: Readonly<Record<string, string>> };

async function saidOf({ endpoints }: Deciding, { client, token, call, limits }: Said): Promise<TokenAnswer> {
  const answer = await endpoints.introspect(token, endpoints.asker(client), call.header("accept") ?? "");
  return { ...answer, headers: { ...answer.headers, ...limits } };
}

/** As the core refuses an assertion that was used before (RFC 7523 §3). */
const usedBefore: TokenAnswer = {
  status: 401,
  headers: { "content-type": "application/json; charset=utf-8" },
  body: JSON.stringify({ error: "invalid_client", error_description: "client authentication failed" }),
};
