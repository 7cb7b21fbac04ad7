import { type Clock, minuteMs, systemClock } from "@remit/kernel";
import { keepHouse } from "@remit/platform/housekeeping";
import { createHttp, edgeOptions, type Http, resourceServer } from "@remit/platform/http";
import { createJobs } from "@remit/platform/jobs";
import { kekSourceOf, withKeepers } from "@remit/platform/key-places";
import { type Keyring, openKeyring } from "@remit/platform/keys";
import { createFirstUses } from "@remit/platform/once";
import { createOutbound, type Outbound } from "@remit/platform/outbound";
import {
  assertSafeRole,
  type Database,
  type MigrationSource,
  migrate,
  openDatabase,
  platformMigrations,
} from "@remit/platform/sql";
import { createLog, createMetrics, type Log } from "@remit/platform/telemetry";
import { hmacSha256 } from "@remit/protocol/node";
import { type Callers, type ContractJudge, createCallers, createContractJudge } from "./callers/index.ts";
import type { Engines } from "./charging/index.ts";
import type { GatewayConfig } from "./config.ts";
import { type Control, openControl } from "./control/index.ts";
import { apiDocumentOf, discoveryDoor, resourcesRoutes } from "./discovery/index.ts";
import { openFacilitators } from "./facilitator/index.ts";
import { type Controller, openKubernetes, startController } from "./kubernetes/index.ts";

import { mcpDoor, withChildren } from "./mcp/index.ts";
import { type OfferBook, type Offers, openOfferBook, watchedIn } from "./offers/index.ts";

import { ownServerRoutes } from "./own-servers/index.ts";
import { createPriceTags } from "./paywall/index.ts";

import { createUpstreams, healthJobs, type Upstreams } from "./proxy/index.ts";
import { openCounter, purchaseJobs, recoverClaims } from "./purchases/index.ts";
import { openRefunds } from "./refunds/index.ts";
import { responseJobs } from "./responses/index.ts";
import { termSecrets } from "./secrets.ts";
import { forwardAuth, storefront } from "./storefront/index.ts";
import { openTill } from "./till.ts";
import { thisWorker } from "./worker.ts";

/** The gateway as a program sees it. `migrate` first, then `listen`; `close` finishes what was paid for. */
export type Service = {
  readonly origin: string;
  migrate(): Promise<void>;
  /** Binds, and returns the address it is bound to. */
  listen(): Promise<string>;
  /** Reads the offers file again; throws and keeps the former offers when it is wrong. */
  reload(): Promise<void>;
  close(): Promise<void>;
};

export type GatewayOptions = {
  readonly config: GatewayConfig;
  readonly clock?: Clock;
  readonly log?: Log;
  /** What moves money without a mandate; by default the seller's own accounts, as the offers name them. */
  readonly engines?: Engines;
};

/** What each table is, for the test that compares this with the database (T03). */
export const tables = {
  chain_signers: "global",
  claims: "tenant",
  merchants: "tenant",
  offers: "tenant",
  responses: "tenant",
  sales: "tenant",
  refunds: "tenant",
  settlement_failures: "tenant",
  settlement_transactions: "global",
  settlements: "global",
} as const;

export const migrations: readonly MigrationSource[] = [
  { name: "gateway", directory: new URL("../migrations/", import.meta.url) },
];

export function createGateway({ config, clock = systemClock, ...options }: GatewayOptions): Service {
  const log = options.log ?? createLog({ service: "gateway" });
  const db = openDatabase({
    url: config.databaseUrl,
    schema: config.schema,
    relayRole: config.roles.relay,
    ...(config.databaseWaitMs !== undefined && { waitMsMax: config.databaseWaitMs }),
    log,
  });
  const outbound = createOutbound({ allow: config.outboundAllow, log, clock });
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
      running = await start({ config, clock, log, db, outbound, engines: options.engines });
      return running.address;
    },
    reload: async () => {
      await running?.reload();
    },
    close: async () => {
      await running?.close();
      await outbound.close();
      await db.close();
    },
  };
}

// A credential may be large; one that is too large still gets an answer that says so (V05).
const headerBytesMax = 96 * 1024;
const uploadMs = 15 * minuteMs;
type Parts = {
  readonly config: GatewayConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly db: Database;
  readonly outbound: Outbound;
  readonly engines?: Engines | undefined;
};

type Running = { readonly address: string; reload(): Promise<void>; close(): Promise<void> };

/** Builds the rooms, recovers what an earlier run left open, and opens the door. */
async function start({ config, clock, log, db, outbound, engines }: Parts): Promise<Running> {
  const { issuer, livemode, chains } = config;
  await assertSafeRole(db);
  const keyring = await openKeys({ config, clock, log, db, outbound });
  const jobs = createJobs({ db, log, clock });
  const parts = { db, clock, log, jobs, keyring, upstreams: config.offerUpstreams };
  const { shelf: book, ...control } = await openControl(await openOfferBook(config.offersFile, log), parts);
  const offers = (): Offers => book.current();
  const programs = { offers, env: config.programEnv ?? {}, clock, log };
  const upstreams = withChildren(createUpstreams(clock), programs);
  const by = await thisWorker(config.dataDir);
  const facilitators = await openFacilitators({ chains, livemode, db, clock, log, by, outbound, jobs });
  const tagged = { issuer, livemode, macs: termSecrets(keyring), settlerOn: facilitators.settlerOn };
  const terms = { ...tagged, tags: createPriceTags(tagged) };
  const stopping = new AbortController();
  const isClosing = (): boolean => stopping.signal.aborted;
  const purchases = openTill(
    { config, clock, log, db, outbound, engines },
    { keyring, upstreams, book, terms, by, facilitators, isClosing },
  );
  const judge = createContractJudge({ chainOn: facilitators.chainOn, clock });
  const callers = callersOf({ config, clock, log, db, outbound }, { keyring, judge });
  const counter = openCounter({ ...purchases, callers });
  responseJobs(purchaseJobs(jobs, purchases), { db, clock });
  healthJobs(jobs, { upstreams, clock, watched: () => watchedIn(offers()) });
  keepHouse(jobs, { db, clock });
  const http = httpOf({ config, clock, log, db, outbound }, keyring, book);
  keyring.mount({ http, jobs });
  control.mount(http);
  facilitators.mount(http);
  openRefunds({ ...purchases, facilitators }, { http, jobs });
  http.add(...ownServerRoutes({ book, counter, terms, clock, memory: purchases.memory }));
  http.add(...resourcesRoutes({ book, clock, settlerOn: facilitators.settlerOn }));
  const behind = { counter, upstreams, callers, terms, clock, ...control, memory: purchases.memory };
  const front = storefront({ book, ...behind, doors: [discoveryDoor, mcpDoor(behind)] });
  http.mount(forwardAuth(config.origin, { book, upstreams, callers }, front));
  http.mount(front);
  const address = await http.listen();
  await jobs.start();
  const controller = await controllerOf({ config, clock, log }, { control, upstreams, by: purchases.by });
  const recovering = recoverClaims(purchases, stopping.signal).catch((error: unknown) => {
    log.error({ error }, "recovery at the start failed");
  });
  return {
    address,
    reload: () => book.reload(),
    close: async () => {
      stopping.abort();
      await controller?.close();
      book.close();
      await http.close();
      await counter.close();
      await recovering;
      await jobs.stop();
      await upstreams.close();
      keyring.close();
    },
  };
}

type Controlled = {
  readonly control: Pick<Control, "desk">;
  readonly upstreams: Upstreams;
  readonly by: { readonly worker: string; readonly boot: string };
};

/** Undefined where no cluster is configured. */
async function controllerOf(
  { config, clock, log }: Pick<Parts, "config" | "clock" | "log">,
  { control, upstreams, by }: Controlled,
): Promise<Controller | undefined> {
  const { kubernetes } = config;
  if (kubernetes === undefined) return undefined;
  const client = await openKubernetes(kubernetes);
  const desk = control.desk(kubernetes.merchant);
  return startController({
    ...kubernetes,
    client,
    desk,
    upstreams,
    clock,
    log,
    identity: `${by.worker}.${by.boot}`,
  });
}

const openKeys = ({ config, clock, log, db, outbound }: Parts) =>
  withKeepers(() =>
    openKeyring({ db, source: kekSourceOf({ config, service: "gateway", outbound, clock }), clock, log }),
  );

/** Who comes in at auth routes, of whichever merchant. */
const callersOf = (
  { config: { issuer }, clock, db, outbound }: Parts,
  { keyring, judge }: { readonly keyring: Keyring; readonly judge: ContractJudge },
): Callers =>
  createCallers({
    issuer,
    issuerKeys: outbound.jwksOf(`${issuer}/.well-known/jwks.json`),
    claim: createFirstUses(db).claim,
    sessionMac: hmacSha256(keyring.derive("wallet-sessions")),
    nonceSecret: keyring.derive("dpop-nonce"),
    judge,
    clock,
  });

const httpOf = ({ config, clock, log, db, outbound }: Parts, keyring: Keyring, book: OfferBook): Http =>
  createHttp({
    ...edgeOptions("gateway", { config, clock, log }),
    metrics: createMetrics("gateway"),
    ready: { database: () => db.ping() },
    headerBytesMax,
    // A long upload is no slow one: it ends when nothing moves.
    patience: { requestMs: uploadMs },
    authenticate: operatorsOf({ config, clock, db, outbound }, keyring.derive("dpop-nonce")),
    documentAt: (host, own) => {
      const shop = book.current().get(host.toLowerCase());
      return shop && apiDocumentOf(shop, shop.merchant.origin === config.origin ? own : undefined);
    },
    // An agent's token travels with its mandate, and its audience is the merchant's origin.
    protectedResource: { issuer: config.issuer, scopes: ["oid4ac:payment"] },
  });

/** Who may reach the gateway's own addresses: bearers of the issuer's tokens for this origin. */
const operatorsOf = (
  { config, clock, db, outbound }: Omit<Parts, "log" | "engines">,
  nonceSecret: Uint8Array,
) =>
  resourceServer({
    issuer: config.issuer,
    audience: config.origin,
    keys: outbound.jwksOf(`${config.issuer}/.well-known/jwks.json`),
    claim: createFirstUses(db).claim,
    nonceSecret,
    clock,
  });
