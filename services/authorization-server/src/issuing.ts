import type { Clock } from "@remit/kernel";
import type { Http } from "@remit/platform/http";
import type { Keyring } from "@remit/platform/keys";
import { outboxRowsOf } from "@remit/platform/outbox";
import type { Database } from "@remit/platform/sql";
import type { Metrics } from "@remit/platform/telemetry";
import type { RemitEvent } from "@remit/protocol";
import type { AuditRecorder } from "./audit/index.ts";
import {
  createClientAuthentication,
  createSecrets,
  type KnownClients,
  type PeerSetting,
  type UsedCredential,
} from "./clients/index.ts";
import type { AuthorizationServerConfig } from "./config.ts";
import { createRotations } from "./grants/index.ts";
import { createIssuance, createRefreshing, tokenEndpoint } from "./issuance/index.ts";
import type { IssuerKeys } from "./keys/index.ts";
import { type Core, createRefreshRules, createTokenRules } from "./oidc/index.ts";
import type { Quotas } from "./quotas/index.ts";

type Grounds = {
  readonly config: AuthorizationServerConfig;
  readonly clock: Clock;
  readonly db: Database;
  readonly keyring: Keyring;
  readonly keys: IssuerKeys;
  readonly peers: readonly PeerSetting[];
  readonly metrics: Metrics;
  readonly recorder: AuditRecorder;
  readonly known: KnownClients;
  readonly issuance: boolean;
  readonly quotas: Quotas;
  /** Told which credential of an agent was used. */
  readonly used: UsedCredential;
};

/** The token endpoint: plain requests of clients for themselves, and plain refreshes, are answered in front of the core. */
export function mountIssuance(grounds: Grounds, { http, core }: { http: Http; core: Core }): void {
  const issuance = grounds.issuance ? issuanceOf(grounds) : undefined;
  http.mount(
    tokenEndpoint({
      issuance,
      core: ({ raw, ip }) => core.handle(raw.req, raw.res, { ip }),
      metrics: grounds.metrics,
    }),
  );
}

type Issuing = Parameters<typeof tokenEndpoint>[0]["issuance"];

function issuanceOf(grounds: Grounds): Issuing {
  const { config, keyring, recorder } = grounds;
  const { issuer, livemode } = config;
  const secrets = createSecrets(keyring.derive("client-secrets"));
  const endpoint = `${issuer}/oauth/token`;
  const authentication = createClientAuthentication({ ...grounds, secrets, issuer, endpoint });
  const rules = createTokenRules({ ...grounds, issuer, livemode });
  const entriesOf = (events: readonly RemitEvent[]) => ({
    audit: recorder.rowsOf(events),
    events: outboxRowsOf(events),
  });
  const refreshRules = createRefreshRules({ ...grounds, issuer, livemode });
  const rotations = createRotations(grounds);
  const common = { ...grounds, issuer, rules, authentication };
  return {
    client_credentials: createIssuance({ ...common, entriesOf }),
    refresh_token: createRefreshing({ ...common, refreshRules, rotations }),
  };
}
