import type { Clock } from "@remit/kernel";
import { createOutbound, type Outbound } from "@remit/platform/outbound";
import type { Log } from "@remit/platform/telemetry";
import { type PeerSetting, peerKeysAt } from "./clients/index.ts";
import type { AuthorizationServerConfig } from "./config.ts";

/** Two doors to other hosts, by who said where to. */
export type Outbounds = {
  /** To what the operator named: services of ours, Vault. Their private addresses are on its allow list. */
  readonly outbound: Outbound;
  /**
   * To what tenants and their clients named: webhooks, CIBA pings, logout, keys and metadata documents, issuers. What the
   * operator's door reaches inside is not reached through this one (W01); its allow list is empty unless said.
   */
  readonly tenantOutbound: Outbound;
};

type Given = {
  readonly config: Pick<AuthorizationServerConfig, "outboundAllow" | "tenantOutboundAllow">;
  readonly log: Log;
  readonly clock: Clock;
};

export const createOutbounds = ({ config, log, clock }: Given): Outbounds => ({
  outbound: createOutbound({ allow: config.outboundAllow, log, clock }),
  tenantOutbound: createOutbound({ allow: config.tenantOutboundAllow ?? [], log, clock }),
});

/** Where keys of clients are read: of services of ours, at exactly their address, through the operator's door. */
export function outboundOfClients({
  outbound,
  tenantOutbound,
  peers,
}: Outbounds & { readonly peers: readonly PeerSetting[] }): Pick<Outbound, "fetch"> {
  const ours = new Set(peers.map(peerKeysAt));
  const urlOf = (input: Parameters<typeof fetch>[0]): string =>
    input instanceof Request ? input.url : String(input);
  return {
    fetch: (input, init) => (ours.has(urlOf(input)) ? outbound : tenantOutbound).fetch(input, init),
  };
}

/** Where keys of whoever a tenant trusts are read; those of GitHub Actions stand where the operator says. */
export const outboundOfTrusts = (
  { outbound, tenantOutbound }: Outbounds,
  github: { readonly jwksUri: string },
): Pick<Outbound, "jwksOf"> => ({
  jwksOf: (url) => (url === github.jwksUri ? outbound : tenantOutbound).jwksOf(url),
});
