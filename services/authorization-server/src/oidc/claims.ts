import { createHmac } from "node:crypto";
import type { Database } from "@remit/platform/sql";
import { digestOf, grantOf } from "../grants/index.ts";
import { guardOwnToken } from "./guards.ts";
import {
  type ClientEntity,
  type Ctx,
  errors,
  type Payload,
  type SignInOf,
  type TokenEntity,
} from "./seam.ts";

type Deps = {
  readonly db: Database;
  readonly livemode: boolean;
  /** For pairwise subjects: merchants that compare notes cannot tell that two tokens are of one principal. */
  readonly subjectKey: Uint8Array;
};

/** What every access token of ours says beside RFC 9068 §2.2: whose it is, what it is bound to, and what can end it. */
export const extraClaims =
  ({ db, livemode }: Deps) =>
  async (ctx: Ctx, token: TokenEntity): Promise<Payload> => {
    const { client } = ctx.oidc;
    const common = commonClaims(client?.remit_tenant, livemode);
    if (client !== undefined && token.kind === "ClientCredentials") guardOwnToken({ client, token });
    if (token.grantId === undefined) return common;
    const digest = digestOf(token.grantId);
    const grant = await grantOf(db.single, digest);
    // It may have ended since the core looked.
    if (grant?.revoked === true) throw new errors.InvalidGrant("the grant has ended");
    // A person's own token speaks for the person's tenant; an agent's token for the agent's.
    const organization = client?.remit_kind === "agent" ? client.remit_tenant : grant?.tenant;
    return {
      ...common,
      organization_id: organization,
      grant_id: digest,
      ...signInOf(ctx.oidc.entities.AuthorizationCode ?? ctx.oidc.entities.RefreshToken),
      // Only what ends with the session carries it: an agent acts on when its principal has signed out.
      ...(grant?.session?.outlives === false ? { sid: grant.session.sid } : {}),
      ...(grant?.mandate === undefined ? {} : { mandate_id: grant.mandate }),
      ...(client?.remit_kind === "agent" ? { act: { sub: client.clientId } } : {}),
    };
  };

/** RFC 9068 §2.2.1: how and when the person signed in; what a resource that wants more judges by (RFC 9470 §5). */
const signInOf = ({ acr, amr, authTime }: SignInOf = {}): Payload => ({
  ...(acr === undefined ? {} : { acr }),
  ...(amr === undefined ? {} : { amr }),
  ...(authTime === undefined ? {} : { auth_time: authTime }),
});

/** What tokens of every kind say: the tenant they act for, and whether anything real can come of it. */
export const commonClaims = (tenant: string | undefined, livemode: boolean) => ({
  organization_id: tenant,
  livemode,
});

/** OpenID Core §8.1: one name per sector, from which neither the account nor its name elsewhere can be told. */
export const pairwiseIdentifier =
  ({ subjectKey }: Deps) =>
  async (_: Ctx, account: string, client: ClientEntity): Promise<string> => {
    const mac = createHmac("sha256", subjectKey).update(`sector ${client.sectorIdentifier ?? ""} ${account}`);
    return `prn_${mac.digest("base64url").slice(0, 26)}`;
  };

/** RFC 9068 §5 (privacy): at a merchant the principal has a name that is good for that merchant only. */
export const pairwiseSubject =
  ({ subjectKey }: Deps) =>
  async (ctx: Ctx, token: TokenEntity, jwt: { payload: { sub?: string; aud?: unknown } }): Promise<void> => {
    if (token.accountId === undefined || ctx.oidc.client?.remit_kind !== "agent") return;
    const mac = createHmac("sha256", subjectKey).update(`${token.accountId} ${String(jwt.payload.aud)}`);
    jwt.payload.sub = `prn_${mac.digest("base64url").slice(0, 26)}`;
  };
