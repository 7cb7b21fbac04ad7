import type { PeerSetting } from "../clients/index.ts";
import { jwtBearerGrant, tokenExchangeGrant } from "./custom-grants.ts";
import { type ClientEntity, type Ctx, errors } from "./seam.ts";

/** RFC 8707: what a token for a resource looks like. */
export type ResourceInfo = {
  readonly scope: string;
  readonly audience: string;
  readonly accessTokenTTL: number;
  readonly accessTokenFormat: "jwt";
  readonly jwt: { readonly sign: { readonly alg: "ES256"; readonly kid: string } };
};

type Rules = {
  readonly issuer: string;
  readonly peers: readonly PeerSetting[];
  /** The access-token key of this core; another one it would not know. */
  readonly kid: string;
};

const accessLifeS = 300;
const clientCredentialsLifeS = 900;

export type Resources = {
  readonly infoOf: (ctx: Ctx, resource: string, client: ClientEntity) => Promise<ResourceInfo>;
  readonly defaultOf: (
    ctx: Ctx,
    client: ClientEntity,
    oneOf?: string | readonly string[],
  ) => Promise<string | undefined>;
};

/** Which client may ask for tokens for whom. An audience is an origin, spelled as browsers do, compared exactly. */
export function createResources({ issuer, peers, kid }: Rules): Resources {
  const ours = new Set([issuer, ...peers.map(({ origin }) => origin)]);
  return {
    infoOf: async (ctx, resource, client) => {
      const grantType = ctx.oidc.params["grant_type"];
      const scope = scopesFor({ resource, client, issuer, ours, grantType });
      if (scope.length === 0)
        throw new errors.InvalidTarget("This client has no business with this resource.");
      return {
        scope: scope.join(" "),
        audience: resource,
        accessTokenTTL: grantType === "client_credentials" ? clientCredentialsLifeS : accessLifeS,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "ES256", kid } },
      };
    },
    defaultOf: async (ctx, client, oneOf) => {
      if (oneOf !== undefined) {
        if (typeof oneOf === "string") return oneOf;
        if (oneOf.length === 1) return oneOf[0];
        throw new errors.InvalidTarget("Name one resource.");
      }
      // With a default, userinfo would refuse the token of an OpenID request (RFC 8707 and OIDC do not meet).
      const scopes = (ctx.oidc.params["scope"] ?? "").split(" ");
      return client.remit_kind === "wallet" && scopes.includes("openid") ? undefined : issuer;
    },
  };
}

type Asked = {
  resource: string;
  client: ClientEntity;
  issuer: string;
  ours: ReadonlySet<string>;
  grantType: string | undefined;
};

const management = [
  "agents:read",
  "agents:write",
  "tokens:read",
  "audit:read",
  "webhooks:read",
  "webhooks:write",
];

/** What an agent may have at a service of ours by somebody else's word; the grant narrows it to what that one gave. */
const handedOver: Readonly<Record<string, readonly string[]>> = {
  [jwtBearerGrant]: management,
  [tokenExchangeGrant]: [...management, "wallet:read"],
};

function scopesFor({ resource, client, issuer, ours, grantType }: Asked): readonly string[] {
  switch (client.remit_kind) {
    case "agent":
      // Any merchant's origin (a gateway of ours is one too), and ours to look at its own mandates.
      return [
        ...(isMerchantOrigin(resource) ? ["oid4ac:payment"] : []),
        ...(ours.has(resource) ? (handedOver[grantType ?? ""] ?? []) : []),
      ];
    case "merchant":
      if (resource === issuer) return ["charges:write", "directory:read"];
      return ours.has(resource) ? ["directory:read", "directory:write"] : [];
    case "admin":
      return ours.has(resource) ? management : [];
    case "peer":
      return ours.has(resource) ? ["payments:execute", "directory:read", "events:write"] : [];
    case "wallet":
      return ours.has(resource) ? ["wallet:read", "wallet:write"] : [];
    case undefined:
    default:
      return [];
  }
}

/** https, or http on a loopback name for development; nothing behind the origin. */
function isMerchantOrigin(resource: string): boolean {
  const url = URL.parse(resource);
  if (url === null || url.origin !== resource) return false;
  return url.protocol === "https:" || ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
}
