import type { CommonConfig } from "@remit/platform/host";
import { type Databases, type ServiceName, serviceDirectory } from "./databases.ts";
import { metricsPortOf, originOf, type Ports } from "./ports.ts";
import type { Origins } from "./seed.ts";

export type Place = { readonly dataDir: string; readonly ports: Ports; readonly databases: Databases };

export const originsOf = (ports: Ports): Origins => ({
  issuer: originOf(ports.issuer),
  wallet: originOf(ports.wallet),
  directory: originOf(ports.directory),
  billing: originOf(ports.billing),
  gateway: originOf(ports.gateway),
  sandbox: originOf(ports.sandbox),
});

/** What every service is told; each adds its own settings. */
export function configOf({ ports, databases, dataDir }: Place, service: ServiceName): CommonConfig {
  const name = service === "authorization_server" ? "issuer" : service;
  const database = databases.of(service);
  const ours = [ports.issuer, ports.wallet, ports.directory, ports.billing, ports.gateway, ports.sandbox];
  return {
    origin: originOf(ports[name]),
    issuer: originOf(ports.issuer),
    host: "127.0.0.1",
    port: ports[name],
    metricsPort: metricsPortOf(ports, name),
    databaseUrl: database.url,
    migrationDatabaseUrl: database.migrationUrl,
    schema: database.schema,
    roles: { ...database.roles, owner: database.ownerRole },
    dataDir: serviceDirectory(dataDir, service),
    outboundAllow: ours.map((port) => `localhost:${port}`),
    livemode: false,
  };
}

type WithTenantOutbound = CommonConfig & { readonly tenantOutboundAllow: readonly string[] };

/** The authorization server's. The sandbox stands for whoever receives webhooks, which can be tried without a public
 * address; the portal hears there that a session has ended. */
export const authorizationServerConfigOf = (place: Place): WithTenantOutbound => ({
  ...configOf(place, "authorization_server"),
  tenantOutboundAllow: [`localhost:${place.ports.sandbox}`, `localhost:${place.ports.wallet}`],
});

/** The directory's. The demo's merchants are the gateway, under one name or another of this machine's. */
export const directoryConfigOf = (place: Place): WithTenantOutbound => ({
  ...configOf(place, "directory"),
  tenantOutboundAllow: [`localhost:${place.ports.gateway}`, `*.localhost:${place.ports.gateway}`],
});
