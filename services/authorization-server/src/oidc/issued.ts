import { type Clock, parseId } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { newEvent, payloadOf } from "@remit/protocol";
import type { Ctx } from "./seam.ts";

type Deps = { readonly db: Database; readonly clock: Clock };

/** A client's own token that the core gave out, in the log before its client has it; `issuance` does the same for many. */
export async function recordIssued({ db, clock }: Deps, ctx: Ctx): Promise<void> {
  if (ctx.status !== 200 || ctx.oidc.params["grant_type"] !== "client_credentials") return;
  const { jti, aud, scope, client_id: client, organization_id } = payloadOf(tokenOf(ctx.body)) ?? {};
  const tenant = parseId("tenant", organization_id);
  if (
    tenant === undefined ||
    typeof jti !== "string" ||
    typeof aud !== "string" ||
    typeof client !== "string"
  )
    return;
  const payload = {
    grant_type: "client_credentials",
    audience: aud,
    scope: typeof scope === "string" ? scope : "",
    jti: [jti],
  };
  const facts = { tenant, actor: { type: "client", id: client }, subject: client, payload } as const;
  await db.of(tenant).transaction((tx) => tx.record(newEvent("token.issued", facts, clock.now())));
}

const tokenOf = (body: unknown): string => String(Object(body).access_token ?? "");
