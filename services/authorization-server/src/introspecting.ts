import type { Clock } from "@remit/kernel";
import { type Authenticate, type Http, resourceServer } from "@remit/platform/http";
import type { Keyring } from "@remit/platform/keys";
import { createMisuses } from "@remit/platform/misuse";
import { createFirstUses } from "@remit/platform/once";
import type { Outbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import type { Metrics } from "@remit/platform/telemetry";
import { createMerchants } from "./charges/index.ts";
import {
  clientById,
  createClientAuthentication,
  createSecrets,
  type KnownClients,
  type PeerSetting,
  type UsedCredential,
} from "./clients/index.ts";
import type { AuthorizationServerConfig } from "./config.ts";
import { type Artifacts, createRefreshTokens, grantRoutes, type MandatePort } from "./grants/index.ts";
import type { IssuerKeys } from "./keys/index.ts";
import type { Core } from "./oidc/index.ts";
import type { Quotas } from "./quotas/index.ts";
import {
  createPlainIntrospection,
  createScanGuard,
  createTokenEndpoints,
  type LiveTokens,
  type PlainIntrospection,
  type TokenEndpoints,
  tokenMounts,
} from "./tokens/index.ts";
import { confineRegistering } from "./trusts/index.ts";

type Grounds = {
  readonly config: AuthorizationServerConfig;
  readonly clock: Clock;
  readonly db: Database;
  readonly outbound: Outbound;
  readonly keyring: Keyring;
  readonly keys: IssuerKeys;
  readonly peers: readonly PeerSetting[];
  readonly live: LiveTokens;
  readonly known: KnownClients;
  readonly quotas: Quotas;
  /** Told which credential of an agent was used. */
  readonly used: UsedCredential;
  readonly metrics: Metrics;
  /** False leaves every request to the core. */
  readonly issuance: boolean;
};

/** Our own API is a resource server of ours: the same checks as everywhere, and the database's word on top (A11). */
export const authenticateOf = ({
  config,
  clock,
  db,
  keys,
  keyring,
  live,
}: Pick<Grounds, "config" | "clock" | "db" | "keys" | "keyring" | "live">): Authenticate => {
  const authenticate = resourceServer({
    issuer: config.issuer,
    audience: config.origin,
    keys: async () => keys.jwks(["access", "access-eddsa"]).keys,
    claim: createFirstUses(db).claim,
    nonceSecret: keyring.derive("dpop-nonce"),
    misuses: createMisuses(db, "authorization-server"),
    isRevoked: async (claims) => !(await live.isLive(claims)),
    clock,
  });
  return confineRegistering(authenticate, config.origin);
};

/** What is said of tokens, and how they are given back, whoever authenticates the one who asks. */
export function tokenEndpointsOf(
  grounds: Grounds,
  { artifacts, mandates }: { readonly artifacts: Artifacts; readonly mandates: MandatePort },
): TokenEndpoints {
  const { config, clock, db, keys, live, outbound, peers } = grounds;
  const merchants = createMerchants({ outbound, directory: config.directory, clock });
  return createTokenEndpoints({
    db,
    live,
    keys,
    issuer: config.issuer,
    clock,
    refreshTokens: createRefreshTokens({ db, clock, artifacts, mandates, clientOf: clientsOf(grounds) }),
    scans: createScanGuard(clock),
    askers: { peers, merchants },
  });
}

/** Introspection and revocation under all their names, and the operator's way to end all that a client has. */
export function mountTokenEndpoints(
  grounds: Grounds,
  { http, core, endpoints }: { http: Http; core: Core; endpoints: TokenEndpoints },
): void {
  const authenticate = authenticateOf(grounds);
  http.add(...grantRoutes({ db: grounds.db, clientOf: clientsOf(grounds) }));
  const plain = plainIntrospection(grounds, endpoints);
  const counter = grounds.metrics.counter(
    "introspection_requests_total",
    "Introspections by clients that prove themselves by secret or assertion, by who answered them.",
    ["by"],
  );
  const given = {
    authenticate,
    quotas: grounds.quotas,
    plain,
    counted: (by: "front" | "core"): void => counter.inc({ by }),
    clientOf: clientsOf(grounds),
    endpoints,
    origin: grounds.config.origin,
  };
  for (const mount of tokenMounts({ ...given, core: ({ raw, ip }) => core.handle(raw.req, raw.res, { ip }) }))
    http.mount(mount);
}

function plainIntrospection(grounds: Grounds, endpoints: TokenEndpoints): PlainIntrospection {
  if (!grounds.issuance) return async () => "core";
  const { keyring, config } = grounds;
  const secrets = createSecrets(keyring.derive("client-secrets"));
  // An assertion for this endpoint names the issuer and nothing else (design section 5).
  const named = { issuer: config.issuer, endpoint: config.issuer };
  const authentication = createClientAuthentication({ ...grounds, ...named, secrets });
  return createPlainIntrospection({ ...grounds, authentication, endpoints });
}

const clientsOf =
  ({ db, peers }: Grounds) =>
  (id: string) =>
    clientById(db, id, peers);
