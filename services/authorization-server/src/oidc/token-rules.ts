import type { Keyring } from "@remit/platform/keys";
import type { Client, PeerSetting } from "../clients/index.ts";
import type { IssuerKeys } from "../keys/index.ts";
import { commonClaims } from "./claims.ts";
import { dpopNonceSecret } from "./configuration.ts";
import { createResources } from "./resources.ts";
import { settled } from "./scopes.ts";
import { dpopNonces } from "./seam.ts";

/** What the core decides about a client's own token, for whoever decides it in front of the core: the same functions. */
export type TokenRules = {
  /** What the client gets; undefined for whatever the core would refuse, or answer with less than was asked for. */
  readonly decide: (client: Client, asked: AskedToken) => PlannedToken | undefined;
  /** The claims that tokens of every kind have beside RFC 9068. */
  readonly claims: (client: Client) => Readonly<Record<string, string | boolean | undefined>>;
  /** Whether the nonce of a proof is one of ours. */
  readonly isNonce: (nonce: string) => boolean;
  /** The nonce to use from now on. */
  readonly nextNonce: () => string;
};

export type AskedToken = { readonly scope: string | undefined; readonly resource: string | undefined };

export type PlannedToken = {
  readonly audience: string;
  readonly scope: string;
  readonly lifeS: number;
  readonly kid: string;
};

type Decided = Omit<PlannedToken, "kid">;

const rememberedMax = 64;

/**
 * A client asks for the same again and again, and what it gets follows from what is known of it alone. When that changes
 * it is read anew, as another object; what was decided of the former is then forgotten.
 */
function rememberByClient(
  decide: (client: Client, asked: AskedToken) => Decided | undefined,
): (client: Client, asked: AskedToken) => Decided | undefined {
  const byClient = new WeakMap<Client, Map<string, Decided>>();
  return (client, asked) => {
    const { scope, resource } = asked;
    // With its length in front, no scope reads as another one and a resource.
    const key = `${scope?.length}:${scope}${resource === undefined ? "" : `:${resource}`}`;
    const known = byClient.get(client) ?? new Map<string, Decided>();
    const before = known.get(key);
    if (before !== undefined) return before;
    const decided = decide(client, asked);
    if (decided === undefined) return undefined;
    if (known.size >= rememberedMax) known.clear();
    known.set(key, decided);
    byClient.set(client, known);
    return decided;
  };
}

type Deps = {
  readonly issuer: string;
  readonly livemode: boolean;
  readonly peers: readonly PeerSetting[];
  readonly keys: IssuerKeys;
  readonly keyring: Keyring;
};

export function createTokenRules({ issuer, livemode, peers, keys, keyring }: Deps): TokenRules {
  const resources = createResources({ issuer, peers, kid: () => keys.currentKey("access").kid });
  const nonces = dpopNonces(dpopNonceSecret(keyring));
  const decide = (client: Client, asked: AskedToken): Decided | undefined => {
    // Which grants an application may use, and under which profile, is for the core to read in what it registered.
    if (client.kind === "application") return undefined;
    const resource = asked.resource ?? issuer;
    const scope = settled(asked.scope, client.kind)?.split(" ") ?? [];
    // The core refuses what is another's, passes over what nobody knows, and takes a name twice for once: its business.
    const known = new Set<string>(client.scopes);
    if (scope.length === 0 || new Set(scope).size !== scope.length || !scope.every((name) => known.has(name)))
      return undefined;
    const info = resources.find({ resource, kind: client.kind, grantType: "client_credentials" });
    if (info === undefined) return undefined;
    const allowed = info.scope.split(" ");
    if (!scope.every((name) => allowed.includes(name))) return undefined;
    const { audience, accessTokenTTL: lifeS } = info;
    return { audience, scope: scope.join(" "), lifeS };
  };
  const remembered = rememberByClient(decide);
  return {
    decide(client, asked) {
      const decided = remembered(client, asked);
      return decided === undefined ? undefined : { ...decided, kid: keys.currentKey("access").kid };
    },
    claims: ({ tenant }) => commonClaims(tenant, livemode),
    // Mostly the one that was handed out last, which the core has at hand; the others it has to compute.
    isNonce: (nonce) => nonce === nonces.nextChallenge() || nonces.checkChallenge(nonce),
    nextNonce: () => nonces.nextChallenge(),
  };
}
