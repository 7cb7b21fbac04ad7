import { type Clock, fromNumericDate } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { type AccessTokenClaims, newEvent, Problem, readJson } from "@remit/protocol";
import { verifyAccessToken } from "@remit/protocol/node";
import type { IssuerKeys } from "../keys/index.ts";
import { revokeTokens } from "../tokens/index.ts";
import type { Ctx } from "./seam.ts";

type Deps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly keys: IssuerKeys;
  readonly issuer: string;
};

/**
 * RFC 7009 for JWT access tokens, which the core authenticates a client for and then refuses. A token of another
 * client, one that has expired and plain nonsense all get the same empty 200 (§2.2).
 */
export async function revokeJwt(deps: Deps, ctx: Ctx): Promise<void> {
  const { client, params } = ctx.oidc;
  const token = params["token"];
  if (client === undefined || token === undefined) return;
  const claims = claimsOf(deps, token);
  const { clock, db } = deps;
  if (claims !== undefined && claims.client_id === client.clientId)
    await db.of(claims.organization_id).transaction(async (tx) => {
      await revokeTokens(tx, `jti:${claims.jti}`, fromNumericDate(claims.exp));
      const actor = { type: "client", id: client.clientId } as const;
      const facts = { tenant: claims.organization_id, actor, subject: claims.jti };
      await tx.record(newEvent("token.revoked", facts, clock.now()));
    });
  ctx.status = 200;
  ctx.body = "";
}

function claimsOf({ keys, issuer, clock }: Deps, token: string): AccessTokenClaims | undefined {
  const payload = readJson(Buffer.from(token.split(".")[1] ?? "", "base64url"), 16_384);
  const audience: unknown = "value" in payload ? Object(payload.value).aud : undefined;
  if (typeof audience !== "string") return undefined;
  const known = keys.jwks(["access", "access-eddsa"]).keys;
  try {
    return verifyAccessToken({ token, issuer, audience, keys: known, now: clock.now() });
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}
