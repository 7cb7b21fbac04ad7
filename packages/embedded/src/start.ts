import { mkdir } from "node:fs/promises";
import path from "node:path";
import { createAuthorizationServer, usualQuotas } from "@remit/authorization-server";
import { createBilling } from "@remit/billing";
import { createDirectory } from "@remit/directory";
import { createGateway, type GatewayConfig } from "@remit/gateway";
import { type Clock, Secret, systemClock } from "@remit/kernel";
import { StartRefused } from "@remit/platform/host";
import type { Log } from "@remit/platform/telemetry";
import { createSandbox, findAnvil, type Sandbox, sandboxKeys } from "@remit/sandbox";
import { loadAccounts } from "./accounts.ts";
import {
  authorizationServerConfigOf,
  configOf,
  directoryConfigOf,
  originsOf,
  type Place,
} from "./configs.ts";
import { serviceDirectory, startDatabases } from "./databases.ts";
import { type DevFile, writeDevFile } from "./dev-file.ts";
import { takeInstance } from "./instance.ts";
import { writeOffersFile } from "./offers-file.ts";
import { portsOf } from "./ports.ts";
import { type Origins, seed } from "./seed.ts";

export type StartOptions = {
  readonly dataDir: string;
  readonly portBase?: number;
  /** Administrative URL of an own PostgreSQL; the embedded one otherwise. */
  readonly databaseUrl?: string;
  readonly version: string;
  readonly log: (service: string) => Log;
  readonly clock?: Clock;
  /** Told of each step, for whoever waits. */
  readonly progress?: (step: string) => void;
};

export type Embedded = { readonly dev: DevFile; close(): Promise<void> };

type Closing = { readonly name: string; close(): Promise<void> };

const testApiKey = "sk_test_remit_embedded";
const testWebhookSecret = "whsec_remit_embedded";

/** Whoever sells on a machine of one developer is its operator, too. */
const anyUpstream = { offerUpstreams: "any" } as const;

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
    const databases = await startDatabases({
      dataDir: instance.dataDir,
      databaseUrl: options.databaseUrl,
      log: options.log("postgres"),
    });
    opened.push({ name: "database", close: () => databases.stop() });
    progress("services");
    const running = await startServices({
      ...options,
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

type Composition = StartOptions & Place & { readonly clock: Clock; readonly opened: Closing[] };

async function startServices(composition: Composition) {
  const { ports, clock, log, dataDir, opened } = composition;
  const origins = originsOf(ports);
  const offersFile = path.join(serviceDirectory(dataDir, "gateway"), "offers.json");
  await mkdir(path.dirname(offersFile), { recursive: true, mode: 0o700 });
  await writeOffersFile(offersFile, undefined);

  const sandbox = createSandbox({
    host: "127.0.0.1",
    port: ports.sandbox,
    chainPort: ports.chain,
    dataDir,
    webhooks: [{ url: `${origins.billing}/api/v1/webhooks/stripe`, secret: testWebhookSecret }],
    clock,
  });
  const authorizationServer = createAuthorizationServer({
    config: {
      ...authorizationServerConfigOf(composition),
      peers: { billing: origins.billing, directory: origins.directory, gateway: origins.gateway },
      billing: origins.billing,
      directory: origins.directory,
      forward: { "/api/v1/marketplace": origins.directory },
      openRegistration: true, // on the machine of one developer, an MCP client may introduce itself
      quotas: usualQuotas,
    },
    clock,
    log: log("authorization-server"),
  });
  const directory = createDirectory({
    config: directoryConfigOf(composition),
    clock,
    log: log("directory"),
  });
  const billing = createBilling({
    config: {
      ...configOf(composition, "billing"),
      ...soldAt(origins),
    },
    clock,
    log: log("billing"),
  });
  const gateway = createGateway({
    config: { ...configOf(composition, "gateway"), offersFile, ...anyUpstream, ...paidOn(ports.chain) },
    clock,
    log: log("gateway"),
  });

  const migrated = [authorizationServer, directory, billing, gateway];
  const opening = listening(sandbox, "sandbox");
  opened.push({ name: "sandbox", close: () => opening.catch(() => undefined).then(() => sandbox.close()) });
  await Promise.all([opening, ...migrated.map((service) => service.migrate())]);
  for (const [name, service] of Object.entries({ authorizationServer, directory, billing, gateway })) {
    await listening(service, name);
    opened.push({ name, close: () => service.close() });
  }
  return { origins, offersFile, authorizationServer, gateway, chain: chainOf(sandbox, log("sandbox")) };
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

/** The gateway reads the sandbox's chain and pays for gas there, where this platform can have one. */
const paidOn = (port: number): Pick<GatewayConfig, "chains"> =>
  findAnvil() === undefined
    ? {}
    : {
        chains: {
          rpcUrls: { "eip155:84532": `http://127.0.0.1:${port}` },
          facilitatorKey: new Secret<string>(sandboxKeys.facilitator),
        },
      };

/** Cards and plans: at the sandbox's Stripe, from which people come back to pages of ours. */
const soldAt = (origins: Origins) => ({
  stripe: { apiKey: testApiKey, webhookSecret: testWebhookSecret, origin: origins.sandbox },
  returnOrigins: [origins.issuer, origins.wallet],
});

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
  const { d: _secret, ...walletKey } = secrets.wallet.assertion;
  const { tenant, account, admin, operator } = await authorizationServer.bootstrap({
    tenant: { name: "Demo" },
    principal: secrets.principal,
    admin: { clientSecret: secrets.adminSecret },
    operator: { clientSecret: secrets.operatorSecret },
    wallet: { jwks: { keys: [walletKey] }, redirectUris: [`${origins.wallet}/callback`] },
  });
  const demo = await seed(
    {
      dataDir,
      origins,
      offersFile: prepared.offersFile,
      stripeKey: testApiKey,
      tenant,
      clock,
      log: prepared.log("embedded"),
      reloadOffers: () => gateway.reload(),
    },
    { client_id: admin.clientId },
  );
  const { issuer, directory, billing, gateway: gatewayOrigin, sandbox } = origins;
  return {
    pid: process.pid,
    version: prepared.version,
    data_dir: dataDir,
    issuer,
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
