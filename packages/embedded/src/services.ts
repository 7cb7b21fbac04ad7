import { createAuthorizationServer, usualQuotas } from "@remit/authorization-server";
import { type BillingConfig, createBilling } from "@remit/billing";
import { createDirectory } from "@remit/directory";
import { createGateway, type GatewayConfig } from "@remit/gateway";
import { type Clock, Secret } from "@remit/kernel";
import type { Log } from "@remit/platform/telemetry";
import { createSandbox, findAnvil, sandboxKeys } from "@remit/sandbox";
import { createWallet } from "@remit/wallet";
import {
  authorizationServerConfigOf,
  configOf,
  directoryConfigOf,
  originsOf,
  type Place,
} from "./configs.ts";
import { sandboxSeller } from "./sandbox-seller.ts";
import type { Origins } from "./seed.ts";

const testWebhookSecret = "whsec_remit_embedded";

/** Whoever sells on a machine of one developer is its operator, too. */
const anyUpstream = { offerUpstreams: "any" } as const;

type Wanted = Place & {
  readonly clock: Clock;
  readonly log: (service: string) => Log;
  readonly offersFile: string;
  readonly pushAllow?: readonly string[] | undefined;
};

/** Every service and what stands outside Remit, each knowing where the others are. None has started. */
export function createServices(wanted: Wanted) {
  const { ports, clock, dataDir, log, offersFile } = wanted;
  const origins = originsOf(ports);
  const sandbox = createSandbox({
    host: "127.0.0.1",
    port: ports.sandbox,
    chainPort: ports.chain,
    dataDir,
    webhooks: [{ url: `${origins.billing}/api/v1/webhooks/stripe`, secret: testWebhookSecret }],
    clock,
  });
  const authorizationServer = createAuthorizationServer({
    config: issuerConfigOf(wanted, origins),
    clock,
    log: log("authorization-server"),
  });
  const directory = createDirectory({
    config: directoryConfigOf(wanted),
    clock,
    log: log("directory"),
  });
  const billing = createBilling({
    config: {
      ...configOf(wanted, "billing"),
      ...soldAt(origins),
      ...signedOn(ports.chain, origins),
    },
    clock,
    log: log("billing"),
  });
  const gateway = createGateway({
    config: { ...configOf(wanted, "gateway"), offersFile, ...anyUpstream, ...paidOn(ports.chain) },
    clock,
    log: log("gateway"),
  });

  const wallet = createWallet({
    config: {
      ...configOf(wanted, "wallet"),
      directory: origins.directory,
      billing: origins.billing,
      gateway: origins.gateway,
      pushAllow: wanted.pushAllow ?? [],
    },
    opensWhenAsked: true,
    clock,
    log: log("wallet"),
  });

  return { sandbox, authorizationServer, directory, billing, gateway, wallet };
}

const issuerConfigOf = (place: Place, { wallet, directory, billing, gateway }: Origins) => ({
  ...authorizationServerConfigOf(place),
  peers: { billing, directory, gateway, portal: wallet },
  billing,
  directory,
  forward: { "/api/v1/marketplace": directory },
  openRegistration: true, // on the machine of one developer, an MCP client may introduce itself
  quotas: usualQuotas,
});

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

/** Public like all keys of the sandbox: nothing of worth may ever be sent to these wallets. */
const sandboxWalletSeed = "5a".repeat(32);

/** Mandates over the sandbox's chain: billing signs, and the gateway's facilitator brings it there. */
const signedOn = (port: number, { gateway }: Origins): Pick<BillingConfig, "x402"> =>
  findAnvil() === undefined
    ? {}
    : {
        x402: {
          rpcUrls: { "eip155:84532": `http://127.0.0.1:${port}` },
          facilitator: { url: `${gateway}/facilitator` },
          walletSeed: new Secret(sandboxWalletSeed),
        },
      };

/** Cards and plans: at the sandbox's Stripe, from which people come back to pages of ours. */
const soldAt = (origins: Origins) => ({
  stripe: {
    apiKey: sandboxSeller.stripeKey,
    webhookSecret: testWebhookSecret,
    origin: origins.sandbox,
    confirmOrigin: origins.sandbox,
  },
  returnOrigins: [origins.issuer, origins.wallet],
});
