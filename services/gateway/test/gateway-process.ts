import { cp, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { startProcess, type TestDatabase, type TestProcess } from "@remit/testkit";
import { type Answer, type Ask, send } from "./world.ts";

const main = path.resolve(import.meta.dirname, "../src/main.ts");
// Written by programs that end in order: whatever is killed after that starts again in half the time.
const compileCache = path.resolve(import.meta.dirname, "../../../node_modules/.cache/compile");

/** Where a gateway keeps what it knows. */
export type GatewayPlace = {
  readonly database: TestDatabase;
  readonly issuer: { readonly origin: string };
  readonly dataDir: string;
  readonly offersFile: string;
};

/** The gateway as the process that it is in production. */
export type GatewayProcess = {
  readonly pid: number;
  readonly address: string;
  ask(target: string, more?: Ask): Promise<Answer>;
  /** What it has said since it was started. */
  output(): string;
  kill(signal?: NodeJS.Signals): Promise<{ readonly code: number | null; readonly signal: string | null }>;
  readonly exited: TestProcess["exited"];
};

/** Settings beyond the usual ones; a failpoint reads `gateway.claimed:kill9`. */
export type GatewayProcessOptions = {
  readonly failpoint?: string;
  readonly settings?: Readonly<Record<string, string>>;
};

export async function startGatewayProcess(
  place: GatewayPlace,
  { failpoint = "", settings = {} }: GatewayProcessOptions = {},
): Promise<GatewayProcess> {
  const { database, issuer } = place;
  const running = await startProcess({
    main,
    env: {
      NODE_ENV: "test",
      NODE_COMPILE_CACHE: compileCache,
      DATABASE_URL: database.url,
      REMIT_ORIGIN: "http://gateway.test",
      REMIT_ISSUER: issuer.origin,
      REMIT_PORT: "0",
      REMIT_SCHEMA: database.schema,
      REMIT_ROLE_APP: database.roles.app,
      REMIT_ROLE_RELAY: database.roles.relay,
      REMIT_ROLE_LOOKUP: database.roles.lookup,
      REMIT_DATA_DIR: place.dataDir,
      REMIT_OUTBOUND_ALLOW: new URL(issuer.origin).host,
      REMIT_OFFERS_FILE: place.offersFile,
      // Many at once on a busy machine is no outage.
      REMIT_DATABASE_WAIT_MS: "15000",
      REMIT_FAILPOINT: failpoint,
      ...settings,
    },
    readyWhen: /"listening"/,
  });
  const address = /"bound":"([^"]+)"/.exec(running.output())?.[1];
  if (address === undefined) throw new TypeError("the gateway did not say where it listens");
  return {
    pid: running.pid,
    address,
    ask: (target, more = {}) => send(address, target, more),
    output: () => running.output(),
    kill: (signal) => running.kill(signal),
    exited: running.exited,
  };
}

/** A data directory for one more gateway: replicas share the key-encryption key, and each has a name of its own. */
export async function replicaOf(place: GatewayPlace): Promise<GatewayPlace> {
  const dataDir = await mkdtemp(path.join(tmpdir(), "remit-gateway-"));
  const isTheirs = (from: string): boolean => path.basename(from) !== "worker";
  await cp(place.dataDir, dataDir, { recursive: true, filter: isTheirs });
  return { ...place, dataDir };
}
