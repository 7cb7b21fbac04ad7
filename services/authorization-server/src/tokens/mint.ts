import { randomBytes } from "node:crypto";
import { after, type Clock, minuteMs, toNumericDate } from "@remit/kernel";
import type { MintToken } from "@remit/platform/peers";
import type { IssuerKeys } from "../keys/index.ts";
import { platformTenant } from "../tenants/index.ts";

const lifeMs = 5 * minuteMs;

/** The authorization server's own token for a service of ours: the same RFC 9068 token that it would give a peer. */
export const mintOwnToken =
  ({ keys, issuer, livemode, clock }: Minting): MintToken =>
  async ({ audience, scope, thumbprint }) => {
    const now = clock.now();
    const expiresAt = after(now, lifeMs);
    const claims = {
      iss: issuer,
      sub: "authorization-server",
      client_id: "authorization-server",
      aud: audience,
      scope,
      jti: randomBytes(16).toString("base64url"),
      iat: toNumericDate(now),
      exp: toNumericDate(expiresAt),
      organization_id: platformTenant,
      livemode,
      cnf: { jkt: thumbprint },
    };
    return { token: await keys.sign("access", { typ: "at+jwt" }, claims), expiresAt };
  };

type Minting = {
  readonly keys: IssuerKeys;
  readonly issuer: string;
  readonly livemode: boolean;
  readonly clock: Clock;
};
