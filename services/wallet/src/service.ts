import { type Clock, systemClock } from "@remit/kernel";
import { keepHouse } from "@remit/platform/housekeeping";
import { createHttp, edgeOptions, resourceServer } from "@remit/platform/http";
import { createJobs, type Jobs } from "@remit/platform/jobs";
import { kekSourceOf, withKeepers } from "@remit/platform/key-places";
import { openKeyring } from "@remit/platform/keys";
import { createFirstUses } from "@remit/platform/once";
import { createOutbound, type Outbound } from "@remit/platform/outbound";
import { askIssuer, createPeer, loadPeerKeys } from "@remit/platform/peers";
import {
  assertSafeRole,
  type Database,
  type MigrationSource,
  migrate,
  openDatabase,
  platformMigrations,
} from "@remit/platform/sql";
import { createLog, createMetrics, type Log } from "@remit/platform/telemetry";
import { createAccessTokens, createActingTokens } from "./api/index.ts";
import type { WalletConfig } from "./config.ts";
import { jwksRoute } from "./identity.http.ts";
import { createIssuer } from "./issuer/index.ts";
import { createLive, type Live } from "./live/index.ts";
import { noticeTables } from "./notices/index.ts";
import { mountNotices } from "./noticing.ts";
import { builtPortal, portalMount, portalOnce } from "./portal/index.ts";
import { createSessions, forgetOldSessions, type Sessions } from "./sessions/index.ts";
import { createCookies, createSignIns, forgetUnfinished, logoutRoute, signInPages } from "./sign-in/index.ts";
import { createViews, viewTables } from "./views/index.ts";

/** The wallet as a program sees it. `migrate` first, then `listen`; `close` drains. */
export type Service = {
  readonly origin: string;
  migrate(): Promise<void>;
  /** Builds the pages where their source has changed; `listen` does it otherwise, or whoever first asks for one. */
  build(): Promise<void>;
  /** Binds, and returns the address it is bound to. */
  listen(): Promise<string>;
  close(): Promise<void>;
};

export type WalletOptions = {
  readonly config: WalletConfig;
  readonly clock?: Clock;
  readonly log?: Log;
  /** Listens at once, and opens the pages for whoever first asks for one: building them takes some seconds. */
  readonly opensWhenAsked?: boolean;
};

/** What this service is called among the peers; in people's name it is the client `wallet`. */
const peerId = "portal";

/** What each table is, for the test that compares this with the database (T03). */
export const tables = {
  portal_sessions: "global",
  sign_ins: "global",
  ...noticeTables,
  ...viewTables,
} as const;

export const migrations: readonly MigrationSource[] = [
  { name: "wallet", directory: new URL("../migrations/", import.meta.url) },
];

export function createWallet({ config, clock = systemClock, ...options }: WalletOptions): Service {
  const log = options.log ?? createLog({ service: "wallet" });
  const db = openDatabase({
    url: config.databaseUrl,
    schema: config.schema,
    relayRole: config.roles.relay,
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
    build: async () => void (await builtPortal(log)),
    listen: async () => {
      running = await start({ config, clock, log, db, outbound }, options.opensWhenAsked === true);
      return running.address;
    },
    close: async () => {
      await running?.close();
      await outbound.close();
      await db.close();
    },
  };
}

type Parts = {
  readonly config: WalletConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly db: Database;
  readonly outbound: Outbound;
};

type Running = { readonly address: string; close(): Promise<void> };

async function start({ config, clock, log, db, outbound }: Parts, opensWhenAsked: boolean): Promise<Running> {
  await assertSafeRole(db);
  const { origin, directory, billing, gateway, dataDir } = config;
  const keyring = await withKeepers(() =>
    openKeyring({ db, source: kekSourceOf({ config, service: "wallet", outbound, clock }), clock, log }),
  );
  const peerKeys = await loadPeerKeys(dataDir);
  const portal = portalOnce(log);
  if (!opensWhenAsked) await portal();
  const issuer = createIssuer({ issuer: config.issuer, keys: peerKeys, outbound, clock });
  const keys = outbound.jwksOf(`${config.issuer}/.well-known/jwks.json`);
  const live = createLive({ clock });
  const sessions = heardBy(createSessions({ db, keyring, clock }), live);
  const cookies = createCookies(origin);
  const signIns = createSignIns({ db, keyring, clock, issuer, keys, origin, resources: [billing] });
  const claim = createFirstUses(db).claim;
  const own = { clientId: peerId, assertionKey: peerKeys.assertion, dpopKey: peerKeys.dpop };
  const peer = createPeer({ issuer: config.issuer, ...own, outbound, clock });
  const jobs = createJobs({ db, log, clock });
  forgetWhatIsOver(jobs, { db, clock });
  const http = createHttp({
    ...edgeOptions("wallet", { config, clock, log }),
    metrics: createMetrics("wallet"),
    authenticate: resourceServer({
      issuer: config.issuer,
      audience: origin,
      keys,
      claim,
      nonceSecret: keyring.derive("dpop-nonce"),
      isRevoked: askIssuer({ peer, issuer: config.issuer }),
      clock,
    }),
    ready: { database: () => db.ping() },
  });
  http.add(
    jwksRoute(peerKeys.jwks),
    logoutRoute({ sessions, issuer: config.issuer, keys, clock, claim }),
    ...signInPages({ signIns, sessions, cookies, issuer: config.issuer, origin }),
  );
  const tokens = createAccessTokens({ sessions, issuer, clock });
  const acting = createActingTokens({ issuer, tokens, clock });
  const api = { issuer, tokens, acting, origins: { issuer: config.issuer, directory, billing, gateway } };
  const noticing = mountNotices({ config, db, keyring, clock, log, http, jobs, sessions });
  const shown = { portal, sessions, cookies, api, origin, issuer: config.issuer, outbound, live };
  const views = createViews({ db, keyring, clock });
  http.mount(portalMount({ ...shown, notices: noticing.notices, views }));
  keyring.mount({ http, jobs });
  const address = await http.listen();
  await jobs.start();
  return {
    address,
    close: async () => {
      live.close();
      await http.close();
      await jobs.stop();
      await noticing.close();
      keyring.close();
    },
  };
}

/** Open pages hear of it when a session ends, whoever ended it. */
const heardBy = (sessions: Sessions, live: Live): Sessions => ({
  ...sessions,
  end: async (session) => {
    await sessions.end(session);
    live.ended({ sid: session.sid });
  },
  endAll: async (of) => {
    const ended = await sessions.endAll(of);
    live.ended(of);
    return ended;
  },
});

function forgetWhatIsOver(jobs: Jobs, deps: { readonly db: Database; readonly clock: Clock }): void {
  keepHouse(jobs, deps);
  forgetOldSessions(jobs, deps);
  forgetUnfinished(jobs, deps);
}
