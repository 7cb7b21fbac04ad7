import { type Clock, parseId, toNumericDate } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { sha256 } from "@remit/protocol/node";
import { agentById, claimsOfAgent } from "../agents/index.ts";
import type { IssuerKeys } from "../keys/index.ts";
import type { Ctx } from "./seam.ts";

type Deps = {
  readonly db: Database;
  readonly keys: IssuerKeys;
  readonly clock: Clock;
  readonly issuer: string;
};

const lifeS = 300;

/** The AgentIdP API: an agent that asks for `openid` with a token of its own gets an ID token about itself beside it. */
export async function addAgentIdToken({ db, keys, clock, issuer }: Deps, ctx: Ctx): Promise<void> {
  if (ctx.status !== 200) return;
  const { client, params } = ctx.oidc;
  if (params["grant_type"] !== "client_credentials" || client?.remit_kind !== "agent") return;
  if (!(params["scope"] ?? "").split(" ").includes("openid")) return;
  const id = parseId("agent", client.clientId);
  const tenant = parseId("tenant", client.remit_tenant);
  if (id === undefined || tenant === undefined) return;
  const agent = await db.of(tenant).transaction((tx) => agentById(tx, id));
  if (agent === undefined) return;
  const iat = toNumericDate(clock.now());
  const claims = { iss: issuer, aud: id, iat, exp: iat + lifeS, at_hash: halfHash(ctx.body) };
  const token = await keys.sign("id", { typ: "JWT" }, { ...claimsOfAgent(agent), ...claims });
  ctx.body = { ...Object(ctx.body), id_token: token };
}

/** OpenID Core §3.1.3.6: the left half of the access token's digest, so that the two cannot be parted. */
const halfHash = (body: unknown): string =>
  Buffer.from(sha256(String(Object(body).access_token)))
    .subarray(0, 16)
    .toString("base64url");
