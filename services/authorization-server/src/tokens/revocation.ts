import { type Clock, fromNumericDate, parseId } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { type Actor, newEvent } from "@remit/protocol";
import type { IssuerKeys } from "../keys/index.ts";
import { type Asker, mayEndToken } from "./askers.ts";
import { looksLikeJwt, readOwnToken } from "./own-tokens.ts";
import type { RefreshTokens } from "./refresh-tokens.ts";
import { revokeTokens } from "./tokens.ts";

export type RevocationDeps = {
  readonly db: Database;
  readonly keys: IssuerKeys;
  readonly issuer: string;
  readonly clock: Clock;
  readonly refreshTokens: RefreshTokens;
};

/**
 * RFC 7009: an access token ends alone, a refresh token with its whole family. Only its own client and whoever manages agents in its tenant (`agents:write`) may;
 * for everybody else, and for what is no token of ours, nothing happens and nothing is said (§2.2).
 */
export async function revoke(deps: RevocationDeps, token: string, asker: Asker): Promise<void> {
  const type = parseId("account", asker.client) === undefined ? "client" : "account";
  const actor: Actor = { type, id: asker.client };
  if (!looksLikeJwt(token))
    return deps.refreshTokens.endFamilyOf(token, { actor, mayEnd: (owner) => mayEndToken(asker, owner) });
  const { db, clock } = deps;
  const claims = readOwnToken(deps, token, clock.now());
  if (claims === undefined) return;
  const { client_id: client, organization_id: tenant, jti, exp } = claims;
  if (!mayEndToken(asker, { client, tenant })) return;
  await db.of(tenant).transaction(async (tx) => {
    await revokeTokens(tx, `jti:${jti}`, fromNumericDate(exp));
    await tx.record(newEvent("token.revoked", { tenant, actor, subject: jti }, clock.now()));
  });
}
