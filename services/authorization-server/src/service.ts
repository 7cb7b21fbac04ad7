import { type Clock, systemClock } from "@remit/kernel";
import { type ClockWatch, createClockWatch } from "@remit/platform/clock-watch";
import { type Counters, createCounters } from "@remit/platform/counters";
import type { Pressure } from "@remit/platform/host";
import { keepHouse } from "@remit/platform/housekeeping";
import { createHttp, edgeOptions, type Http } from "@remit/platform/http";
import { createJobs, type Jobs } from "@remit/platform/jobs";
import { kekSourceOf, signersOf, withKeepers } from "@remit/platform/key-places";
import { type OpenKeyring, openKeyring } from "@remit/platform/keys";
import { recordToOutbox } from "@remit/platform/outbox";
import {
  assertSafeRole,
  type Database,
  type MigrationSource,
  migrate,
  openDatabase,
  platformMigrations,
} from "@remit/platform/sql";
import { createLog, createMetrics, type Log, type Metrics } from "@remit/platform/telemetry";
import { approvalsChannel, createApprovals } from "./approvals/index.ts";
import { mountAsking } from "./asking.ts";
import { type AuditRecorder, createAuditRecorder } from "./audit/index.ts";
import { mountAudit } from "./auditing.ts";
import { type Bootstrap, type Bootstrapped, bootstrap } from "./bootstrap.ts";
import { createChaining } from "./chaining.ts";
import { mountCharges, mountMandates, type PurchaseAnswers } from "./charging.ts";
import {
  accountPagesAt,
  clientById,
  createKnownClients,
  createSecrets,
  type KnownClients,
  type PeerSetting,
  type UsedCredential,
} from "./clients/index.ts";
import type { AuthorizationServerConfig } from "./config.ts";
import { createLastUses, type LastUses } from "./credentials/index.ts";
import { delegationJobs } from "./delegations/index.ts";
import { createGuesses, deviceMount, devicePages } from "./device/index.ts";
import { securityTxt } from "./discovery/index.ts";
import { createFollowing, type Following } from "./following.ts";
import { createArtifacts, grantJobs } from "./grants/index.ts";
import { authenticateOf, mountTokenEndpoints, tokenEndpointsOf } from "./introspecting.ts";
import { mountIssuance } from "./issuing.ts";
import {
  createIssuerKeys,
  type IssuerKeys,
  keyJobs,
  keyRoutes,
  operatorRoutes,
  recordKekChange,
} from "./keys/index.ts";
import { signalsChannel } from "./lanes/index.ts";
import { mountManaging } from "./managing.ts";
import type { Mandates } from "./mandates/index.ts";
import {
  adapterFor,
  type ClientSource,
  type Core,
  cibaAnswers,
  createCore,
  createInteractions,
  createRepeats,
  endSessionPath,
  oauthAddresses,
} from "./oidc/index.ts";
import { createOperations, type Operations, operationsJobs, operationsRoutes } from "./operations/index.ts";
import { createOutbounds, type Outbounds, outboundOfClients } from "./outbounds.ts";
import { createOwnPeer } from "./own-peer.ts";
import { errorPage } from "./pages/index.ts";
import { createPeople, type People, peoplePages, peopleRoutes } from "./people.ts";
import { createPlanning, type Planning } from "./planning.ts";
import { createPolicing, type Policing } from "./policing.ts";
import { mountPublishing } from "./publishing.ts";
import { createQuotas, type Quotas } from "./quotas/index.ts";
import { createClientDocuments, isDocumentId, registrationRoutes } from "./registration/index.ts";
import { mountSessions } from "./session-places.ts";
import { createSessions } from "./sessions/index.ts";
import { mountTelling } from "./telling.ts";
import { createLiveTokens, type LiveTokens, tokenJobs } from "./tokens/index.ts";
import { createWaiting, type Waiting } from "./waiting/index.ts";

/** The authorization server as a program sees it: `migrate`, then `listen`; `close` drains. */
export type Service = {
  readonly origin: string;
  migrate(): Promise<void>;
  /** Binds, and returns the address it is bound to. */
  listen(): Promise<string>;
  /** Reads again what the operator may change while we run: the policies of POLICY_DIR. */
  reload(): Promise<void>;
  close(): Promise<void>;
  /** Sets up an installation's first tenant and principal, after `migrate`. Idempotent; no HTTP door leads here. */
  bootstrap(wanted: Bootstrap): Promise<Bootstrapped>;
};

export type AuthorizationServerOptions = {
  readonly config: AuthorizationServerConfig;
  readonly clock?: Clock;
  readonly log?: Log;
  /** False leaves every token request to the core, for the test that compares both ways. */
  readonly issuance?: boolean;
  /** Whether the clock is held against the database's; the machine's own is, unless said otherwise. */
  readonly checkClock?: boolean;
  /** Says when nothing more is begun; of its own, unless given. */
  readonly pressure?: Pressure;
};

export const migrations: readonly MigrationSource[] = [
  { name: "authorization-server", directory: new URL("../migrations/", import.meta.url) },
];

/** What every room is built from. */
type Base = Outbounds & {
  readonly config: AuthorizationServerConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly db: Database;
  readonly recorder: AuditRecorder;
  readonly issuance: boolean;
  readonly pressure: Pressure | undefined;
  readonly metrics: Metrics;
  readonly counters: Counters;
  readonly quotas: Quotas;
  readonly planning: Planning;
  readonly following: Following;
  readonly watch: ClockWatch | undefined;
};

type Grounds = Base & {
  readonly keyring: OpenKeyring;
  readonly keys: IssuerKeys;
  readonly peers: readonly PeerSetting[];
  readonly live: LiveTokens;
  /** Clients as this process last read them, for whom requests are answered in front of the core. */
  readonly known: KnownClients;
  /** The client of an id: registered, a service of ours, or known by a document of its own. */
  readonly clientOf: ClientSource;
  readonly uses: LastUses;
  readonly used: UsedCredential;
};

type Rooms = {
  readonly http: Http;
  /** Whoever waits for news. */
  readonly waiting: readonly Waiting[];
  readonly jobs: Jobs;
  readonly keys: IssuerKeys;
  readonly keyring: OpenKeyring;
  readonly policing: Policing;
  bootstrap(wanted: Bootstrap): Promise<Bootstrapped>;
};

export function createAuthorizationServer({
  config,
  clock = systemClock,
  ...options
}: AuthorizationServerOptions): Service {
  const log = options.log ?? createLog({ service: "authorization-server" });
  const recorder = createAuditRecorder(clock);
  const db = openDatabase({
    url: config.databaseUrl,
    schema: config.schema,
    relayRole: config.roles.relay,
    ...(config.databaseWaitMs !== undefined && { waitMsMax: config.databaseWaitMs }),
    // One write, two readers: an event stands in the audit log and in the outbox, or in neither; once.
    record: async (tx, event) => {
      if (await recorder.record(tx, event)) await recordToOutbox(tx, event);
    },
    recordNew: (tx, event) => recorder.recordNew(tx, event),
    recordAll: (tx, events) => recorder.recordAll(tx, events),
    log,
  });
  const outbounds = createOutbounds({ config, log, clock });
  const { issuance = true, checkClock = clock === systemClock } = options;
  const watch = checkClock ? createClockWatch({ db, clock, log }) : undefined;
  const metrics = createMetrics("authorization-server");
  const prefix = "remit:quotas";
  const counters = createCounters({ redisUrl: config.redisUrl, prefix, clock, log });
  const planning = createPlanning({ ...outbounds, config, db, clock, log });
  const quotas = planning.quotas(createQuotas({ counters, clock, settings: config.quotas }));
  const following = createFollowing({ db, log, metrics });
  const given = { config, clock, log, db, recorder, issuance, metrics, counters, quotas, planning, watch };
  const base: Base = { ...outbounds, ...given, following, pressure: options.pressure };
  let rooms: Promise<Rooms> | undefined;
  const open = (): Promise<Rooms> => (rooms ??= openRooms(base));
  return {
    origin: config.origin,
    migrate: () => migrateOwn(config),
    listen: async () => {
      const { http, jobs } = await open();
      await jobs.start();
      return http.listen();
    },
    bootstrap: async (wanted) => (await open()).bootstrap(wanted),
    reload: async () => (await open()).policing.reload(),
    close: async () => {
      const opened = await rooms?.catch(() => undefined);
      for (const waiting of opened?.waiting ?? []) waiting.close();
      await opened?.http.close();
      await opened?.jobs.stop();
      await opened?.policing.close();
      opened?.keys.close();
      opened?.keyring.close();
      if (opened !== undefined) await Promise.all([planning.close(), following.close()]);
      await counters.close();
      await outbounds.outbound.close();
      await outbounds.tenantOutbound.close();
      await db.close();
    },
  };
}

const migrateOwn = (config: AuthorizationServerConfig): Promise<void> =>
  migrate({
    url: config.migrationDatabaseUrl ?? config.databaseUrl,
    ...(config.roles.owner === undefined ? {} : { ownerRole: config.roles.owner }),
    schema: config.schema,
    roles: config.roles,
    sources: [platformMigrations, ...migrations],
  });

async function openRooms(base: Base): Promise<Rooms> {
  const { config, clock, db, log, watch } = base;
  await assertSafeRole(db);
  await base.planning.begin();
  const { keyring, keys } = await openKeys(base);
  const named = Object.entries(config.peers).map(([name, origin]) => ({ name, origin }));
  const peers = [accountPagesAt(config.issuer), ...named];
  const documents = createClientDocuments({ clock, outbound: base.tenantOutbound });
  const clientOf: ClientSource = (id) =>
    isDocumentId(id) ? documents.clientAt(id) : clientById(db, id, peers);
  const live = createLiveTokens(db);
  const known = createKnownClients({ db, clock });
  const uses = createLastUses(db);
  const used = uses.note;
  const grounds: Grounds = { ...base, keyring, keys, peers, live, known, clientOf, uses, used };
  const operations = createOperations({ ...grounds, sources: migrations });
  const policing = createPolicing(base);
  const http = httpOf(grounds, { ...operations, ...policing });
  const jobs = createJobs({ db, log, clock, check: watch?.require });
  const people = createPeople(grounds, jobs);
  const { accounts } = people;
  const secrets = createSecrets(keyring.derive("client-secrets"));
  const mandates = mountMandates(grounds, { http, people });
  const peer = await createOwnPeer(grounds);
  const purchases = await mountCharges(grounds, { http, jobs, mandates });
  const waiting = createWaiting(db, approvalsChannel);
  const signalled = createWaiting(db, signalsChannel);
  mountSigningIn(grounds, { http, jobs, people, mandates, purchases, waiting });
  const { issuer } = config;
  keyring.mount({ http, jobs });
  http.add(...operatorRoutes(keys), ...keyRoutes({ keys, issuer }));
  mountManaging(grounds, { http, jobs, mandates, people });
  const open = config.openRegistration === true;
  const outbound = base.tenantOutbound;
  await mountPublishing(grounds, { http, jobs });
  http.add(...registrationRoutes({ db, secrets, outbound, open, issuer }));
  http.mount(securityTxt({ issuer, clock }));
  mountAudit(grounds, { http, jobs, mandates });
  mountTelling({ ...grounds, http, jobs, people, peer, signalled });
  base.planning.mount({ http, jobs, peer });
  base.following.mount({ http, jobs });
  http.add(...operationsRoutes(operations));
  operationsJobs(jobs, operations);
  keepHouse(jobs, { db, clock });
  keyJobs(jobs, { keys, watch });
  tokenJobs(jobs, { db, clock });
  policing.mount({ http, jobs, keyring });
  await policing.begin(http);
  return {
    http,
    waiting: [waiting, signalled],
    policing,
    jobs,
    keys,
    keyring,
    bootstrap: (wanted) => bootstrap({ db, accounts, secrets, clock }, wanted),
  };
}

/** What everything is encrypted and signed with. */
async function openKeys(base: Base): Promise<{ readonly keyring: OpenKeyring; readonly keys: IssuerKeys }> {
  const { config, clock, db, log, watch } = base;
  const recordChange = recordKekChange(clock);
  const places = { config, service: "authorization-server", outbound: base.outbound, clock };
  const source = kekSourceOf(places);
  const keyring = await withKeepers(() => openKeyring({ db, source, clock, log, recordChange }));
  const known = signersOf(places);
  const engine = known.find(({ name }) => name === config.signers);
  // A clock that is wrong keeps us from signing, not from starting: readiness says so (K07).
  await watch?.check().catch(() => undefined);
  const keys = createIssuerKeys({ db, kek: keyring.kek, clock, log, known, engine, watch });
  await withKeepers(() => keys.load());
  return { keyring, keys };
}

function httpOf(
  grounds: Grounds,
  { details, decide }: Pick<Operations, "details"> & Pick<Policing, "decide">,
): Http {
  const { config, clock, log, db, metrics, watch, planning, following, pressure } = grounds;
  return createHttp({
    ...edgeOptions("authorization-server", { config, clock, log }),
    metrics,
    authenticate: planning.calls(authenticateOf(grounds)),
    ...(pressure === undefined ? {} : { pressure }),
    details,
    decide,
    follow: following.follow,
    ready: { database: () => db.ping(), ...(watch === undefined ? {} : { clock: () => watch.check() }) },
  });
}

type Mounting = { readonly http: Http; readonly jobs: Jobs };

type SigningIn = Mounting & {
  readonly people: People;
  readonly mandates: Mandates;
  readonly purchases: PurchaseAnswers;
  readonly waiting: Waiting;
};

/** OAuth and the pages that people see on its way. */
function mountSigningIn(
  grounds: Grounds,
  { http, jobs, people, mandates, purchases, waiting }: SigningIn,
): void {
  const { config, clock, db, keyring } = grounds;
  const { issuer, livemode } = config;
  const { accounts, factors } = people;
  const outward = { ...grounds, outbound: grounds.tenantOutbound };
  const artifacts = createArtifacts(grounds);
  const repeats = createRepeats({ artifacts, clock });
  const guesses = createGuesses({ db, clock, key: keyring.derive("user-code-guesses") });
  const userCodeKey = keyring.derive("user-codes");
  const sessions = createSessions(grounds);
  const held = { db, clock, accounts, artifacts, mandates };
  const adapter = adapterFor({ ...grounds, ...held, repeats, sessions, guesses, userCodeKey });
  const mandate = cibaAnswers({ ...held, provider: () => core.provider() });
  const approvals = createApprovals({ db, clock, keyring, answers: { mandate, purchase: purchases } });
  const tokens = tokenEndpointsOf(grounds, { artifacts, mandates });
  const chaining = createChaining(grounds);
  http.add(...chaining.routes);
  const core: Core = createCore({
    ...grounds,
    outbound: outboundOfClients(grounds),
    tokens,
    issuer,
    livemode,
    accounts,
    factors,
    mandates,
    adapter,
    sessions,
    repeats,
    grants: chaining.grants,
    artifacts,
    approvals,
    devicePages: devicePages({ issuer }),
    errorPage,
  });
  const interactions = createInteractions({ ...grounds, ...held, provider: core.provider });
  http.add(
    ...peoplePages(outward, people, { interactions, mandates }),
    ...peopleRoutes(outward, people, mandates),
  );
  http.mount({
    paths: ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"],
    prefixes: ["/oauth"],
    criticality: ({ url = "" }) => (url.startsWith(endSessionPath) ? "critical" : "sheddable"),
    describes: oauthAddresses,
    handle: ({ raw, ip }) => core.handle(raw.req, raw.res, { ip }),
  });
  http.mount(deviceMount({ issuer, handle: ({ raw, ip }) => core.handle(raw.req, raw.res, { ip }) }));
  mountIssuance(grounds, { http, core });
  mountSessions(outward, { http, jobs, sessions, people, mandates, core });
  mountTokenEndpoints(grounds, { http, core, endpoints: tokens });
  grantJobs(jobs, { artifacts, clock });
  delegationJobs(jobs, { db });
  mountAsking({ ...outward, http, jobs, people, sessions, artifacts, approvals, waiting, core });
}
