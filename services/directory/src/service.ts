import { type Clock, systemClock } from "@remit/kernel";
import { createCursors } from "@remit/platform/cursors";
import { keepHouse } from "@remit/platform/housekeeping";
import { createHttp, edgeOptions, resourceServer } from "@remit/platform/http";
import { createJobs } from "@remit/platform/jobs";
import { kekSourceOf, withKeepers } from "@remit/platform/key-places";
import { openKeyring } from "@remit/platform/keys";
import { createMisuses } from "@remit/platform/misuse";
import { createFirstUses } from "@remit/platform/once";
import { createOutbound, type Outbound } from "@remit/platform/outbound";
import { recordToOutbox } from "@remit/platform/outbox";
import { askIssuer, createForwarding, createPeer, loadPeerKeys } from "@remit/platform/peers";
import {
  assertSafeRole,
  type Database,
  type MigrationSource,
  migrate,
  openDatabase,
  platformMigrations,
} from "@remit/platform/sql";
import { createLog, createMetrics, type Log } from "@remit/platform/telemetry";
import type { DirectoryConfig } from "./config.ts";
import { jwksRoute } from "./identity/index.ts";
import { listingTables, marketplaceRoutes, tellingRoute } from "./listings/index.ts";
import { merchantJobs, merchantRoutes } from "./merchants/index.ts";

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
export const tables = { merchants: "public", ...listingTables } as const;

export const migrations: readonly MigrationSource[] = [
  { name: "directory", directory: new URL("../migrations/", import.meta.url) },
];

export function createDirectory({ config, clock = systemClock, ...options }: DirectoryOptions): Service {
  const log = options.log ?? createLog({ service: "directory" });
  const db = openDatabase({
    url: config.databaseUrl,
    schema: config.schema,
    relayRole: config.roles.relay,
    ...(config.databaseWaitMs !== undefined && { waitMsMax: config.databaseWaitMs }),
    record: recordToOutbox,
    log,
  });
  const outbound = createOutbound({ allow: config.outboundAllow, log, clock });
  // What merchants name is not reached through the door that reaches our own (W01).
  const tenantOutbound = createOutbound({ allow: config.tenantOutboundAllow ?? [], log, clock });
  let running: Running | undefined;
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
      running = await start({ config, clock, log, db, outbound, tenantOutbound });
      return running.address;
    },
    close: async () => {
      await running?.close();
      await outbound.close();
      await tenantOutbound.close();
      await db.close();
    },
  };
}

type Parts = {
  readonly config: DirectoryConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly db: Database;
  readonly outbound: Outbound;
  readonly tenantOutbound: Outbound;
};

type Running = { readonly address: string; close(): Promise<void> };

async function start({ config, clock, log, db, outbound, tenantOutbound }: Parts): Promise<Running> {
  await assertSafeRole(db);
  const { issuer, origin, dataDir } = config;
  const keyring = await withKeepers(() =>
    openKeyring({ db, source: kekSourceOf({ config, service: "directory", outbound, clock }), clock, log }),
  );
  const { assertion: assertionKey, dpop: dpopKey, jwks } = await loadPeerKeys(dataDir);
  const peer = createPeer({ issuer, clientId: "directory", assertionKey, dpopKey, outbound, clock });
  const metrics = createMetrics("directory");
  const forwarding = createForwarding({ db, peer, issuer, metrics });
  const jobs = createJobs({ db, log, clock });
  forwarding.mount(jobs);
  merchantJobs(jobs, { db, outbound: tenantOutbound, clock, log });
  keepHouse(jobs, { db, clock });
  const http = createHttp({
    ...edgeOptions("directory", { config, clock, log }),
    metrics,
    authenticate: resourceServer({
      issuer,
      audience: origin,
      keys: outbound.jwksOf(`${issuer}/.well-known/jwks.json`),
      claim: createFirstUses(db).claim,
      nonceSecret: keyring.derive("dpop-nonce"),
      misuses: createMisuses(db, "directory"),
      isRevoked: askIssuer({ peer, issuer }),
      clock,
    }),
    ready: { database: () => db.ping() },
    details: async () => ({ forwarding: await forwarding.state() }),
  });
  const cursors = createCursors(keyring.derive("directory-cursor"));
  http.add(...merchantRoutes({ db, outbound: tenantOutbound, clock }, cursors));
  http.add(tellingRoute({ db }), ...marketplaceRoutes({ db, cursors }));
  http.add(jwksRoute(jwks));
  keyring.mount({ http, jobs });
  const address = await http.listen();
  await jobs.start();

  return {
    address,
    close: async () => {
      await http.close();
      await jobs.stop();
      keyring.close();
    },
  };
}
