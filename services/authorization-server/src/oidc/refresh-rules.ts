import { createSecretKey } from "node:crypto";
import { dayMs, fromNumericDate, type Instant, secondMs, toNumericDate } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import { z } from "zod";
import type { Client, PeerSetting } from "../clients/index.ts";
import { digestOf, familyMs, type RotatableToken } from "../grants/index.ts";
import type { IssuerKeys } from "../keys/index.ts";
import { agentGrantClaims, commonClaims, subjectAt, subjectKeyOf } from "./claims.ts";
import { createResources } from "./resources.ts";
import type { Payload } from "./seam.ts";

/** What the core decides about an agent's refresh, for whoever decides it in front of the core: the same functions. */
export type RefreshRules = {
  /** What comes of the use; undefined for whatever the core would refuse, or answer with more or less than asked for. */
  readonly decide: (asked: AskedRefresh) => PlannedRefresh | undefined;
};

export type AskedRefresh = {
  readonly client: Client;
  /** Of the key of the proof, which is the client's registered one. */
  readonly thumbprint: string;
  readonly used: RotatableToken;
  readonly form: Readonly<Record<string, string | undefined>>;
  readonly now: Instant;
};

export type PlannedRefresh = {
  readonly kid: string;
  readonly lifeS: number;
  readonly scope: string;
  /** Of the access token, without its `jti`. */
  readonly claims: Payload;
  readonly details: readonly unknown[] | undefined;
  /** What the core would keep of the successor, without its `jti`. */
  readonly successor: Payload;
  readonly successorEnds: Instant;
};

/** Seconds: 24 h after each use, and never beyond 30 days after the first. */
export const refreshLifeS = (firstIssuedS: number | undefined, nowS: number): number => {
  const ageS = firstIssuedS === undefined ? 0 : nowS - firstIssuedS;
  return Math.max(1, Math.min(dayMs / secondMs, familyMs / secondMs - ageS));
};

// What the core keeps of a refresh token of an agent (its `IN_PAYLOAD`); with anything else in it, it is not plain.
const Token = z.strictObject({
  kind: z.literal("RefreshToken"),
  jti: z.string(),
  clientId: z.string(),
  accountId: z.string(),
  grantId: z.string(),
  jkt: z.string(),
  iat: z.number(),
  exp: z.number(),
  iiat: z.number(),
  gty: z.string(),
  scope: z.string(),
  resource: z.string(),
  rotations: z.number().optional(),
  acr: z.string().optional(),
  amr: z.array(z.string()).optional(),
  authTime: z.number().optional(),
  claims: z.unknown().optional(),
  nonce: z.string().optional(),
  sessionUid: z.string().optional(),
  sid: z.string().optional(),
  expiresWithSession: z.literal(false).optional(),
  rar: z
    .array(z.looseObject({ type: z.literal("oid4ac_mandate") }))
    .min(1)
    .optional(),
});

const Grant = z.strictObject({
  kind: z.literal("Grant"),
  jti: z.string(),
  clientId: z.string(),
  accountId: z.string(),
  iat: z.number(),
  exp: z.number(),
  resources: z.record(z.string(), z.string()),
  openid: z.unknown().optional(),
  rar: z.unknown().optional(),
});

type Deps = {
  readonly issuer: string;
  readonly livemode: boolean;
  readonly peers: readonly PeerSetting[];
  readonly keys: IssuerKeys;
  readonly keyring: Keyring;
};

export function createRefreshRules({ issuer, livemode, peers, keys, keyring }: Deps): RefreshRules {
  const resources = createResources({ issuer, peers, kid: () => keys.currentKey("access").kid });
  const subjectKey = createSecretKey(subjectKeyOf(keyring));
  return {
    decide({ client, thumbprint, used, form, now }) {
      const token = Token.safeParse(used.token).data;
      const grant = Grant.safeParse(used.grant).data;
      const nowS = toNumericDate(now);
      if (token === undefined || grant === undefined) return undefined;
      if (client.kind !== "agent" || token.jkt !== thumbprint) return undefined;
      if (!isOf(client, used, { token, grant }) || token.exp <= nowS || grant.exp <= nowS) return undefined;
      const { resource } = token;
      if ((form["scope"] ?? token.scope) !== token.scope || (form["resource"] ?? resource) !== resource)
        return undefined;
      const info = resources.find({ resource, kind: client.kind, grantType: "refresh_token" });
      const scope = info && grantedScope({ token, grant, resource, known: info.scope });
      if (info === undefined || scope === undefined) return undefined;
      const { audience, accessTokenTTL: lifeS } = info;
      const claims = {
        ...commonClaims(client.tenant, livemode),
        ...agentGrantClaims({
          agent: client.id,
          tenant: client.tenant,
          digest: used.grantDigest,
          mandate: used.mandate,
          signIn: token,
        }),
        sub: subjectAt(subjectKey, token.accountId, audience),
        iat: nowS,
        exp: nowS + lifeS,
        authorization_details: token.rar,
        scope,
        client_id: client.id,
        iss: issuer,
        aud: audience,
        cnf: { jkt: thumbprint },
      };
      const { kid } = keys.currentKey("access");
      return { kid, lifeS, scope, claims, details: token.rar, ...successorOf(token, nowS) };
    },
  };
}

type Read = { readonly token: z.infer<typeof Token>; readonly grant: z.infer<typeof Grant> };

/** All of one client, one account and one grant, and the token itself under its own name. */
const isOf = (client: Client, used: RotatableToken, { token, grant }: Read): boolean =>
  token.clientId === client.id &&
  grant.clientId === client.id &&
  token.accountId === used.account &&
  grant.accountId === used.account &&
  digestOf(token.grantId) === used.grantDigest &&
  token.jti === used.id;

/** The token's scope when it is for this resource as a whole and its grant covers it. `openid` asks for an ID token too. */
function grantedScope({
  token,
  grant,
  resource,
  known,
}: Read & { readonly resource: string; readonly known: string }): string | undefined {
  const asked = token.scope.split(" ");
  const granted = (grant.resources[resource] ?? "").split(" ");
  const allowed = known.split(" ");
  if (asked.includes("openid") || !asked.every((name) => granted.includes(name) && allowed.includes(name)))
    return undefined;
  return granted.filter((name) => asked.includes(name)).join(" ");
}

/** As the core rotates: the same token, one rotation on, and for as long as the family may live. */
function successorOf(
  token: Read["token"],
  nowS: number,
): { readonly successor: Payload; readonly successorEnds: Instant } {
  const { jti: _, ...same } = token;
  const exp = nowS + refreshLifeS(token.iiat, nowS);
  const gty = token.gty.endsWith("refresh_token") ? token.gty : `${token.gty} refresh_token`;
  const rotations = (token.rotations ?? 0) + 1;
  return { successor: { ...same, iat: nowS, exp, gty, rotations }, successorEnds: fromNumericDate(exp) };
}
