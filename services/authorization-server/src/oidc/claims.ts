import { createHmac, type KeyObject } from "node:crypto";
import type { Clock } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { Misuses } from "@remit/platform/misuse";
import type { Database } from "@remit/platform/sql";
import { digestOf, type Grant, grantOf } from "../grants/index.ts";
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
  readonly clock: Clock;
  readonly misuses: Misuses;
  /** For pairwise subjects: merchants that compare notes cannot tell that two tokens are of one principal. */
  readonly subjectKey: Uint8Array;
};

/** What pairwise subjects are made with. */
export const subjectKeyOf = (keyring: Pick<Keyring, "derive">): Uint8Array =>
  keyring.derive("pairwise-subjects");

/** What every access token of ours says beside RFC 9068 §2.2: whose it is, what it is bound to, and what can end it. */
export const extraClaims =
  ({ db, livemode, ...rules }: Deps) =>
  async (ctx: Ctx, token: TokenEntity): Promise<Payload> => {
    const { client } = ctx.oidc;
    const common = commonClaims(client?.remit_tenant, livemode);
    if (client !== undefined && token.kind === "ClientCredentials")
      await guardOwnToken(rules, { client, token });
    if (token.grantId === undefined) return common;
    const digest = digestOf(token.grantId);
    const grant = await grantOf(db.single, digest);
    // It may have ended since the core looked.
    if (grant?.revoked === true) throw new errors.InvalidGrant("the grant has ended");
    const signIn = ctx.oidc.entities.AuthorizationCode ?? ctx.oidc.entities.RefreshToken;
    const mandate = grant?.mandate;
    if (client?.remit_kind === "agent")
      return {
        ...common,
        ...agentGrantClaims({ agent: client.clientId, tenant: client.remit_tenant, digest, mandate, signIn }),
        ...sessionOf(grant),
      };
    return {
      ...common,
      // A person's own token speaks for the person's tenant.
      organization_id: grant?.tenant,
      ...grantClaims({ digest, mandate, signIn }),
      ...sessionOf(grant),
    };
  };

/** Only what ends with the session carries it: an agent acts on when its principal has signed out. */
const sessionOf = (grant: Grant | undefined): Payload =>
  grant?.session?.outlives === false ? { sid: grant.session.sid } : {};

type GrantFacts = {
  readonly digest: string;
  readonly mandate: string | undefined;
  readonly signIn: SignInOf | undefined;
};

const grantClaims = ({ digest, mandate, signIn }: GrantFacts): Payload => ({
  grant_id: digest,
  ...signInOf(signIn),
  ...(mandate === undefined ? {} : { mandate_id: mandate }),
});

/** What an agent's token says of the grant that it comes from: it speaks for the agent's tenant, and the agent acts. */
export const agentGrantClaims = ({
  agent,
  tenant,
  ...facts
}: GrantFacts & { readonly agent: string; readonly tenant: string | undefined }): Payload => ({
  organization_id: tenant,
  ...grantClaims(facts),
  act: { sub: agent },
});

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
    jwt.payload.sub = subjectAt(subjectKey, token.accountId, String(jwt.payload.aud));
  };

/** The name of a principal at one merchant. */
export const subjectAt = (subjectKey: Uint8Array | KeyObject, account: string, audience: string): string =>
  `prn_${createHmac("sha256", subjectKey).update(`${account} ${audience}`).digest("base64url").slice(0, 26)}`;
