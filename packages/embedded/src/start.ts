import { mkdir } from "node:fs/promises";
import path from "node:path";
import { type Clock, systemClock } from "@remit/kernel";
import { StartRefused } from "@remit/platform/host";
import { loadPeerKeys } from "@remit/platform/peers";
import type { Log } from "@remit/platform/telemetry";
import type { Sandbox } from "@remit/sandbox";
import { loadAccounts } from "./accounts.ts";
import { originsOf, type Place } from "./configs.ts";
import { serviceDirectory, startDatabases } from "./databases.ts";
import { type DevFile, writeDevFile } from "./dev-file.ts";
import { takeInstance } from "./instance.ts";
import { writeOffersFile } from "./offers-file.ts";
import { portsOf } from "./ports.ts";
import { seed } from "./seed.ts";

export type StartOptions = {
  readonly dataDir: string;
  readonly portBase?: number;
  /** Administrative URL of an own PostgreSQL; the embedded one otherwise. */
  readonly databaseUrl?: string;
  readonly version: string;
  readonly log: (service: string) => Log;
  readonly clock?: Clock;
  /** Does not wait for the portal's pages, which are built for whoever first asks for one. */
  readonly pagesLater?: boolean;
  /** Private addresses at which browsers may have their push services, for whoever stands one up. */
  readonly pushAllow?: readonly string[];
  /** Told of each step, for whoever waits. */
  readonly progress?: (step: string) => void;
};

export type Embedded = { readonly dev: DevFile; close(): Promise<void> };

type Closing = { readonly name: string; close(): Promise<void> };

/** Starts every service in this process, each with its own database, secrets and port, and a demo to try them with. */
export async function startEmbedded(options: StartOptions): Promise<Embedded> {
  const { clock = systemClock, progress = () => {} } = options;
  const opened: Closing[] = [];
  const close = (): Promise<void> => closeAll(opened, options.log("embedded"));
  try {
    const instance = await takeInstance(options.dataDir, options.portBase);
    opened.push({ name: "instance", close: () => instance.release() });
    const ports = portsOf(instance.portBase);
    progress("database");
    const starting = startDatabases({
      dataDir: instance.dataDir,
      databaseUrl: options.databaseUrl,
      log: options.log("postgres"),
    });
    opened.push({ name: "database", close: async () => (await starting.catch(() => undefined))?.stop() });
    // To read all services' code takes longer than to make a database, and both go on at once.
    const [databases, { createServices }] = await Promise.all([starting, import("./services.ts")]);
    progress("services");
    const running = await startServices({
      ...options,
      createServices,
      clock,
      dataDir: instance.dataDir,
      ports,
      databases,
      opened,
    });
    await instance.settle();
    progress("demo accounts");
    const dev = await prepareDemo({ ...options, clock, dataDir: instance.dataDir, ...running });
    await writeDevFile(dev);
    return { dev, close };
  } catch (error) {
    await close();
    throw error;
  }
}

type Composing = Pick<typeof import("./services.ts"), "createServices">;
type Composition = StartOptions & Place & Composing & { readonly clock: Clock; readonly opened: Closing[] };

async function startServices(composition: Composition) {
  const { ports, log, dataDir, opened, createServices } = composition;
  const origins = originsOf(ports);
  const offersFile = path.join(serviceDirectory(dataDir, "gateway"), "offers.json");
  await mkdir(path.dirname(offersFile), { recursive: true, mode: 0o700 });
  await writeOffersFile(offersFile, undefined);

  const { sandbox, ...services } = createServices({ ...composition, offersFile });
  const opening = listening(sandbox, "sandbox");
  opened.push({ name: "sandbox", close: () => opening.catch(() => undefined).then(() => sandbox.close()) });
  const prepared = Object.values(services).map((service) => service.migrate());
  const pages = composition.pagesLater === true ? [] : [services.wallet.build()];
  await Promise.all([opening, ...pages, ...prepared]);
  for (const [name, service] of Object.entries(services)) {
    await listening(service, name);
    opened.push({ name, close: () => service.close() });
  }
  const { authorizationServer, gateway } = services;
  return {
    origins,
    offersFile,
    authorizationServer,
    gateway,
    chain: chainOf(sandbox, log("sandbox")),
  };
}

/** What programs need of the chain. A machine without one runs all the same. */
function chainOf({ chain }: Sandbox, log: Log): Pick<DevFile, "chain"> {
  if (chain === undefined) return {};
  if ("missing" in chain) {
    log.warn({ because: chain.missing }, "there is no local chain");
    return {};
  }
  const { rpc, chainId: chain_id, usdc, payerKey: payer_key } = chain;
  return { chain: { rpc, chain_id, usdc, payer_key } };
}

/** A busy port is said in one way, whoever finds it so. */
async function listening(service: { listen(): Promise<unknown> }, name: string): Promise<void> {
  try {
    await service.listen();
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) throw error;
    const port = "port" in error ? ` ${String(error.port)}` : "";
    throw new StartRefused(
      `the port${port} of the ${name} is in use`,
      "Stop what uses it, or start with another --port-base (and a --data-dir of its own).",
      { cause: error },
    );
  }
}

type Running = Awaited<ReturnType<typeof startServices>>;

async function prepareDemo(
  prepared: StartOptions & { readonly clock: Clock; readonly dataDir: string } & Running,
): Promise<DevFile> {
  const { dataDir, origins, authorizationServer, gateway, clock } = prepared;
  const { secrets } = await loadAccounts(dataDir);
  const walletKeys = await loadPeerKeys(serviceDirectory(dataDir, "wallet"));
  const { tenant, account, admin, operator } = await authorizationServer.bootstrap({
    tenant: { name: "Demo" },
    principal: secrets.principal,
    admin: { clientSecret: secrets.adminSecret },
    operator: { clientSecret: secrets.operatorSecret },
    wallet: {
      jwks: walletKeys.jwks,
      redirectUris: [`${origins.wallet}/callback`],
      postLogoutRedirectUris: [`${origins.wallet}/signed-out`],
      backchannelLogoutUri: `${origins.wallet}/backchannel-logout`,
    },
  });
  const demo = await seed(
    {
      dataDir,
      origins,
      walletKeys,
      offersFile: prepared.offersFile,
      tenant,
      clock,
      log: prepared.log("embedded"),
      reloadOffers: () => gateway.reload(),
    },
    { client_id: admin.clientId },
  );
  const { issuer, wallet, directory, billing, gateway: gatewayOrigin, sandbox } = origins;
  return {
    pid: process.pid,
    version: prepared.version,
    data_dir: dataDir,
    issuer,
    wallet,
    directory,
    billing,
    gateway: gatewayOrigin,
    sandbox,
    ...prepared.chain,
    spt_endpoint: `${sandbox}/sandbox/tokens`,
    tenant: { id: tenant },
    ...demo,
    principal: { id: account, ...demo.principal },
    ...(operator === undefined
      ? {}
      : { operator: { client_id: operator.clientId, client_secret: secrets.operatorSecret } }),
  };
}

/** The last opened first. One that fails to close does not keep the others open. */
async function closeAll(opened: Closing[], log: Log): Promise<void> {
  for (let next = opened.pop(); next !== undefined; next = opened.pop()) {
    try {
      await next.close();
    } catch (error) {
      log.error({ service: next.name, error }, "did not close as it should");
    }
  }
}
