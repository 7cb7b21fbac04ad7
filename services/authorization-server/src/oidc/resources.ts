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
  /** The kid of what signs access tokens: the core knows the one it was built with. */
  readonly kid: () => string;
};

const accessLifeS = 300;
const clientCredentialsLifeS = 900;

/** What is asked for, in the words of the request and of the client's metadata. */
export type AskedResource = {
  readonly resource: string;
  readonly kind: string | undefined;
  readonly grantType: string | undefined;
};

export type Resources = {
  /** What a token for the resource looks like; undefined when such a client has no business with it. */
  readonly find: (asked: AskedResource) => ResourceInfo | undefined;
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
  const gateway = peers.find(({ name }) => name === "gateway")?.origin;
  const find: Resources["find"] = ({ resource, kind, grantType }) => {
    const scope = scopesFor({ resource, kind, issuer, ours, gateway, grantType });
    if (scope.length === 0) return undefined;
    return {
      scope: scope.join(" "),
      audience: resource,
      accessTokenTTL: grantType === "client_credentials" ? clientCredentialsLifeS : accessLifeS,
      accessTokenFormat: "jwt",
      jwt: { sign: { alg: "ES256", kid: kid() } },
    };
  };
  return {
    find,
    infoOf: async (ctx, asked, client) => {
      const resource = audienceOf(asked, client);
      const { remit_kind: kind } = client;
      const info = find({ resource, kind, grantType: ctx.oidc.params["grant_type"] });
      if (info === undefined)
        throw new errors.InvalidTarget("This client has no business with this resource.");
      if (kind === "application" && ctx.oidc.route === "token" && ctx.get("DPoP") === "")
        // Our services take no unbound token for what an application may do: better to say so here.
        throw new errors.InvalidDpopProof("A token for this resource is bound to a key: send a DPoP proof.");
      return info;
    },
    defaultOf: async (ctx, client, oneOf) => {
      if (oneOf !== undefined) {
        if (typeof oneOf === "string") return oneOf;
        if (oneOf.length === 1) return oneOf[0];
        throw new errors.InvalidTarget("Name one resource.");
      }
      if (client.remit_kind === "account") return undefined; // It asks for no token.
      // With a default, userinfo would refuse the token of an OpenID request (RFC 8707 and OIDC do not meet).
      const scopes = (ctx.oidc.params["scope"] ?? "").split(" ");
      const signsIn = client.remit_kind === "wallet" || client.remit_kind === "application";
      return signsIn && scopes.includes("openid") ? undefined : issuer;
    },
  };
}

type Asked = AskedResource & {
  readonly issuer: string;
  readonly ours: ReadonlySet<string>;
  readonly gateway: string | undefined;
};

const management = [
  "agents:read",
  "agents:write",
  "tokens:read",
  "audit:read",
  "webhooks:read",
  "webhooks:write",
  "ssf.read",
  "ssf.manage",
];

const managing = [...management, "offers:read", "offers:write", "billing:read", "admin:orgs"];

/** What an agent may have at a service of ours by somebody else's word; the grant narrows it to what that one gave. */
const handedOver: Readonly<Record<string, readonly string[]>> = {
  [jwtBearerGrant]: management,
  [tokenExchangeGrant]: management,
};

function scopesFor({ resource, kind, issuer, ours, gateway, grantType }: Asked): readonly string[] {
  switch (kind) {
    case "agent":
      // Any merchant's origin (a gateway of ours is one too), and ours to look at its own mandates.
      return [
        ...(isMerchantOrigin(resource) ? ["oid4ac:payment"] : []),
        ...(ours.has(resource) ? (handedOver[grantType ?? ""] ?? []) : []),
        // For itself: what its operator lets it do, which its client's scopes say.
        ...(resource === issuer && grantType === "client_credentials" ? management : []),
      ];
    case "merchant":
      if (resource === issuer) return ["charges:write", "directory:read"];
      // At the gateway: to have what its own server sells paid there.
      if (resource === gateway) return ["charges:write", "directory:read", "directory:write"];
      return ours.has(resource) ? ["directory:read", "directory:write"] : [];
    case "admin":
      return ours.has(resource) ? [...managing, "billing:write"] : [];
    case "peer":
      return resource === issuer ? ["events:write", "ssf.manage", "ssf.read", "tokens:read"] : [];
    case "application":
      return ours.has(resource) ? ["wallet:read"] : [];
    case "wallet":
      if (!ours.has(resource)) return [];
      // A person acts for an organization by an exchange, which narrows this to what their role there gives.
      return grantType === tokenExchangeGrant ? managing : ["wallet:read", "wallet:write"];
    case undefined:
    default:
      return [];
  }
}

/** An MCP client writes a resource as a URL parser does, with a slash after the origin (RFC 3986 §6.2.3): the same one. */
const audienceOf = (resource: string, { remit_kind }: ClientEntity): string =>
  remit_kind === "application" && resource.endsWith("/") ? resource.slice(0, -1) : resource;

/** https, or http on a loopback name (RFC 6761 §6.3) for development; nothing behind the origin. */
function isMerchantOrigin(resource: string): boolean {
  const url = URL.parse(resource);
  if (url === null || url.origin !== resource) return false;
  const { hostname, protocol } = url;
  const isLoopback =
    ["localhost", "127.0.0.1", "[::1]"].includes(hostname) || hostname.endsWith(".localhost");
  return protocol === "https:" || isLoopback;
}
