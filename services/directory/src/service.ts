import { type Clock, systemClock } from "@remit/kernel";
import { createHttp, resourceServer } from "@remit/platform/http";
import { createKeyring, loadKek } from "@remit/platform/keys";
import { claimFirstUse } from "@remit/platform/once";
import { createOutbound } from "@remit/platform/outbound";
import { recordToOutbox } from "@remit/platform/outbox";
import { type MigrationSource, migrate, openDatabase, platformMigrations } from "@remit/platform/sql";
import { createLog, createMetrics, type Log } from "@remit/platform/telemetry";
import type { DirectoryConfig } from "./config.ts";
import { createCursors, merchantRoutes } from "./merchants/index.ts";

/** The directory as a program sees it. `migrate` first, then `listen`; `close` drains. */
export type Service = {
  readonly origin: string;
  migrate(): Promise<void>;
  /** Binds, and returns the address it is bound to. */
  listen(): Promise<string>;
  close(): Promise<void>;
};

export type DirectoryOptions = {
  readonly config: DirectoryConfig;
  readonly clock?: Clock;
  readonly log?: Log;
};

/** What each table is, for the test that compares this with the database (T03). */
export const tables = { merchants: "public" } as const;

export const migrations: readonly MigrationSource[] = [
  { name: "directory", directory: new URL("../migrations/", import.meta.url) },
];

export function createDirectory({ config, clock = systemClock, ...options }: DirectoryOptions): Service {
  const log = options.log ?? createLog({ service: "directory" });
  const db = openDatabase({
    url: config.databaseUrl,
    schema: config.schema,
    relayRole: config.roles.relay,
    record: recordToOutbox,
    log,
  });
  const outbound = createOutbound({ allow: config.outboundAllow, log, clock });
  let close = async (): Promise<void> => undefined;
  return {
    origin: config.origin,
    migrate: () =>
      migrate({
        url: config.migrationDatabaseUrl ?? config.databaseUrl,
        ...(config.roles.owner === undefined ? {} : { ownerRole: config.roles.owner }),
        schema: config.schema,
        roles: config.roles,
        sources: [platformMigrations, ...migrations],
      }),
    listen: async () => {
      const keyring = createKeyring({ kek: await loadKek(config.dataDir), clock });
      const authenticate = resourceServer({
        issuer: config.issuer,
        audience: config.origin,
        keys: outbound.jwksOf(`${config.issuer}/.well-known/jwks.json`),
        claim: (key, until) => db.global.transaction((tx) => claimFirstUse(tx, key, until)),
        nonceSecret: keyring.derive("dpop-nonce"),
        clock,
      });
      const http = createHttp({
        service: "directory",
        origin: config.origin,
        host: config.host,
        port: config.port,
        ...(config.metricsPort === undefined ? {} : { metricsPort: config.metricsPort }),
        log,
        metrics: createMetrics("directory"),
        clock,
        authenticate,
        ready: { database: () => db.ping() },
      });
      http.add(...merchantRoutes({ db, outbound, clock }, createCursors(keyring.derive("directory-cursor"))));
      close = () => http.close();
      return await http.listen();
    },
    close: async () => {
      await close();
      await outbound.close();
      await db.close();
    },
  };
}
