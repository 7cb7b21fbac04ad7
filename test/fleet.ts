import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  configOf,
  type Databases,
  type DevFile,
  logsAt,
  originsOf,
  type Ports,
  portsOf,
  type ServiceName,
  serviceDirectory,
  startDatabases,
  startEmbedded,
} from "@remit/embedded";
import { type EmbeddedPostgres, startPostgres } from "@remit/platform/embedded-postgres";
import { eventually, freePort, startProcess, switchesOf, type TestProcess } from "@remit/testkit";
import { freeBase } from "./ports.ts";

/** The programs of an installation, by the names of their directories. */
export type Member = "sandbox" | "authorization-server" | "directory" | "billing" | "gateway";
const members: readonly Member[] = ["sandbox", "authorization-server", "directory", "billing", "gateway"];

/** A whole Remit of which every program is a process of its own, so that each can die alone. */
export type Fleet = {
  readonly dev: DevFile;
  readonly sandbox: ReturnType<typeof switchesOf>;
  readonly database: FleetDatabase;
  /** Ends it in order if it still runs, and starts it again with a failpoint (`charge.held:kill9`), or without any. */
  restart(member: Member, failpoint?: string): Promise<void>;
  kill(member: Member): Promise<void>;
  /** Waits until it has ended by `kill -9`, its own or ours. */
  died(member: Member): Promise<void>;
  /** What it has said since it was started. */
  output(member: Member): string;
  close(): Promise<void>;
};

/** Settings beyond the usual ones, by program. */
export type Settings = { readonly [member in Member]?: Readonly<Record<string, string>> };

export type FleetDatabase = {
  /** Ends it as by `kill -9`, sessions included. */
  kill(): Promise<void>;
  stop(): Promise<void>;
  start(): Promise<void>;
};

const testKey = "sk_test_remit_embedded";
const webhookSecret = "whsec_remit_embedded";
// No time here is asserted: short leases and limits only make recovery begin soon.
const hurry = {
  "authorization-server": { REMIT_CHARGE_LEASE_MS: "1000" },
  gateway: { REMIT_CAPTURE_GRACE_MS: "1000" },
  billing: { REMIT_PAYMENT_LEASE_MS: "1000", REMIT_STRIPE_TIMEOUT_MS: "1000" },
};

/** Seeds a data directory in this process once, then starts each program on it by its own `main.ts`. */
export async function startFleet(settings: Settings = {}): Promise<Fleet> {
  // The prefix lets the next run of the tests end what a killed one has left behind.
  const dataDir = await mkdtemp(path.join(tmpdir(), "remit-test-fleet-"));
  const portBase = await freeBase();
  const seeded = await startEmbedded({ dataDir, portBase, version: "test", log: logsAt("error") });
  await seeded.close();
  await addHastyRoute(offersIn(dataDir));
  const database = databaseIn(dataDir);
  await database.start();
  const databases = await startDatabases({
    dataDir,
    databaseUrl: undefined,
    log: logsAt("error")("postgres"),
  });
  const ports = portsOf(portBase);
  const processes = new Map<Member, TestProcess>();
  const envOf = (member: Member): Env => environmentOf({ dataDir, ports, databases }, member);
  const running = (member: Member): TestProcess => present(processes.get(member), member);
  const close = async (): Promise<void> => {
    await Promise.all([...processes.values()].map((running) => running.kill()));
    await database.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  const start = async (member: Member, failpoint = ""): Promise<void> => {
    const armed = member === "sandbox" ? {} : { REMIT_FAILPOINT: failpoint };
    const env = { NODE_COMPILE_CACHE: compileCache, ...envOf(member), ...settings[member], ...armed };
    processes.set(
      member,
      await startProcess({ main: mainOf(member), env, readyWhen: /"listening"|"ready":true/ }),
    );
  };
  try {
    await Promise.all(members.map((member) => start(member)));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    dev: seeded.dev,
    sandbox: switchesOf(() => seeded.dev.sandbox),
    database,
    restart: async (member, failpoint) => {
      await running(member).kill("SIGTERM");
      await start(member, failpoint);
    },
    kill: async (member) => void (await running(member).kill()),
    died: async (member) => {
      const { signal, code } = await running(member).exited;
      if (signal !== "SIGKILL") throw new TypeError(`${member} ended with ${signal ?? code}`);
    },
    output: (member) => running(member).output(),
    close,
  };
}

/** The embedded PostgreSQL, always on the same port. It may forget what it had not synced: no machine dies here. */
function databaseIn(dataDir: string): FleetDatabase {
  let port: string | undefined;
  let server: EmbeddedPostgres | undefined;
  return {
    start: async () => {
      port ??= String(await freePort());
      server = await startPostgres({
        dataDir: path.join(dataDir, "postgres"),
        log: logsAt("error")("postgres"),
        settings: { port, fsync: "off" },
        startAgain: false,
      });
    },
    stop: async () => {
      await server?.stop();
    },
    kill: async () => {
      const { pid } = present(server, "the database");
      process.kill(pid, "SIGKILL");
      await eventually(() => !isAlive(pid));
    },
  };
}

type Env = Readonly<Record<string, string>>;

const root = path.resolve(import.meta.dirname, "..");
// Written by programs that end in order: whatever is killed after that starts again in half the time.
const compileCache = path.join(root, "node_modules/.cache/compile");
const mainOf = (member: Member): string =>
  path.join(root, member === "sandbox" ? "packages" : "services", member, "src/main.ts");

const offersIn = (dataDir: string): string => path.join(serviceDirectory(dataDir, "gateway"), "offers.json");

/** The same report by POST, for an upstream that is not waited for long. */
async function addHastyRoute(file: string): Promise<void> {
  const offers = JSON.parse(await readFile(file, "utf8")) as { routes: object[] }; // as the seeding wrote it
  offers.routes.push({ ...offers.routes[0], id: "hasty", method: "POST", serve_by_s: 1 });
  await writeFile(file, JSON.stringify(offers));
}

type Place = { readonly dataDir: string; readonly ports: Ports; readonly databases: Databases };

function environmentOf(place: Place, member: Member): Env {
  const { dataDir, ports } = place;
  const { billing, directory, gateway, sandbox } = originsOf(ports);
  const webhookUrl = `${billing}/api/v1/webhooks/stripe`;
  switch (member) {
    case "sandbox":
      return {
        NODE_ENV: "test",
        REMIT_PORT: String(ports.sandbox),
        REMIT_DATA_DIR: dataDir,
        REMIT_WEBHOOK_URL: webhookUrl,
        REMIT_WEBHOOK_SECRET: webhookSecret,
      };
    case "authorization-server":
      return {
        ...commonOf(place, "authorization_server"),
        ...hurry[member],
        REMIT_PEERS: `billing=${billing},directory=${directory},gateway=${gateway}`,
        REMIT_BILLING_ORIGIN: billing,
        REMIT_DIRECTORY_ORIGIN: directory,
      };
    case "billing":
      return {
        ...commonOf(place, member),
        ...hurry[member],
        REMIT_STRIPE_ORIGIN: sandbox,
        REMIT_STRIPE_KEY: testKey,
        REMIT_STRIPE_WEBHOOK_SECRET: webhookSecret,
      };
    case "directory":
      return { ...commonOf(place, member), REMIT_TENANT_OUTBOUND_ALLOW: new URL(gateway).host };
    case "gateway":
      return {
        ...commonOf(place, member),
        ...hurry[member],
        REMIT_OFFERS_FILE: offersIn(dataDir),
      };
  }
}

/** The settings that every service takes, as the embedded composition would give them. */
function commonOf(place: Place, service: ServiceName): Env {
  const config = configOf(place, service);
  return {
    NODE_ENV: "test",
    DATABASE_URL: config.databaseUrl,
    REMIT_ORIGIN: config.origin,
    REMIT_ISSUER: config.issuer,
    REMIT_HOST: config.host,
    REMIT_PORT: String(config.port),
    REMIT_SCHEMA: config.schema,
    REMIT_ROLE_APP: config.roles.app,
    REMIT_ROLE_RELAY: config.roles.relay,
    REMIT_ROLE_LOOKUP: config.roles.lookup,
    REMIT_DATA_DIR: config.dataDir,
    REMIT_OUTBOUND_ALLOW: config.outboundAllow.join(","),
  };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new TypeError(`${what} was never started`);
  return value;
}
