import { type Clock, secondMs } from "@remit/kernel";
import type { Http } from "@remit/platform/http";
import type { Jobs } from "@remit/platform/jobs";
import type { Outbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { evmChainIdOf } from "@remit/protocol";
import type { PaymentEngine } from "@remit/rails";
import {
  type AuthorizationSource,
  type Chain,
  createRemoteFacilitator,
  createX402Engine,
  type Facilitator,
  isFacilitatorUrl,
  openChain,
  type Signer,
  signerWithKey,
} from "@remit/rails/x402";
import type { Worker } from "../claims/index.ts";
import type { Facilitator as FacilitatorChoice } from "../offers/index.ts";
import type { ChainsConfig } from "./chains-config.ts";
import { facilitatorRoutes } from "./facilitator.http.ts";
import { facilitatorJobs } from "./facilitator.jobs.ts";
import { createLocalFacilitator, type LocalFacilitator } from "./local.ts";
import { steady } from "./recovery.ts";
import type { Station } from "./station.ts";

export type FacilitatorsDeps = {
  readonly chains: ChainsConfig | undefined;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly by: Worker;
  readonly outbound: Outbound;
  readonly jobs: Jobs;
  readonly livemode: boolean;
};

export type Facilitators = {
  /** Undefined where this gateway cannot read the network, or has nobody who settles on it. */
  engineOf(of: {
    readonly network: string;
    readonly facilitator: FacilitatorChoice;
    readonly confirmations?: number | undefined;
  }): PaymentEngine<AuthorizationSource> | undefined;
  /** Who settles here what permits allow (x402's `upto`); undefined on a network where nobody does. */
  readonly settlerOn: (network: string) => string | undefined;
  /** A network that this gateway reads, whether or not it settles there. */
  readonly chainOn: (network: string) => Chain | undefined;
  /** Chain and facilitator of a network that is settled here. */
  readonly hereOn: (
    network: string,
  ) => { readonly chain: Chain; readonly facilitator: LocalFacilitator } | undefined;
  mount(http: Http): void;
};

const gweiWei = 1_000_000_000n;
const gasGweiMaxUsual = 100;
const settleMsUsual = 55 * secondMs;
const outbidMsUsual = 20 * secondMs;

export async function openFacilitators(deps: FacilitatorsDeps): Promise<Facilitators> {
  const { outbound, log } = deps;
  const config = deps.chains ?? { rpcUrls: {} };
  const signer = config.facilitatorKey === undefined ? undefined : signerWithKey(config.facilitatorKey);
  const chains = new Map<string, Chain>();
  const local = new Map<string, LocalFacilitator>();
  for (const [network, rpcUrl] of Object.entries(config.rpcUrls)) {
    const chainId = evmChainIdOf(network);
    if (chainId === undefined) throw new TypeError(`${network} is no EVM chain`);
    const chain = openChain({ chainId, rpcUrl });
    chains.set(network, chain);
    if (signer !== undefined) local.set(network, await openStation(deps, { network, chain, signer }));
  }
  return {
    engineOf: ({ network, facilitator, confirmations }) => {
      const chain = chains.get(network);
      const settles =
        chain === undefined
          ? undefined
          : settlerOf(facilitator, { chain, outbound, local: local.get(network) });
      if (chain === undefined || settles === undefined) return undefined;
      const depth = confirmations === undefined ? {} : { confirmations };
      return createX402Engine({ facilitator: settles, chain, ...depth });
    },
    settlerOn: (network) => (local.has(network) ? signer?.address : undefined),
    chainOn: (network) => chains.get(network),
    hereOn: (network) => {
      const [chain, facilitator] = [chains.get(network), local.get(network)];
      return chain && facilitator && { chain, facilitator };
    },
    mount: (http) => {
      if (signer === undefined || local.size === 0) return;
      const { facilitatorToken: token, assets } = config;
      if (token === undefined && deps.livemode) {
        // Whoever could call it would spend our gas.
        log.warn({}, "the facilitator has no token, and serves this gateway alone");
        return;
      }
      const routes = {
        facilitators: local,
        signer: signer.address,
        assets: new Set(assets?.map((asset) => asset.toLowerCase())),
        ...(token !== undefined && { token }),
      };
      http.add(...facilitatorRoutes(routes));
    },
  };
}

async function openStation(
  { db, clock, log, by, jobs, chains }: FacilitatorsDeps,
  at: { readonly network: string; readonly chain: Chain; readonly signer: Signer },
): Promise<LocalFacilitator> {
  const station: Station = {
    ...at,
    db,
    clock,
    log,
    by,
    feeMax: BigInt(chains?.gasGweiMax ?? gasGweiMaxUsual) * gweiWei,
    waitMs: chains?.settleMs ?? settleMsUsual,
    patienceMs: chains?.outbidMs ?? outbidMsUsual,
  };
  // A chain that does not answer now is asked again when there is something to settle.
  await steady(station).catch((error: unknown) => {
    log.warn({ network: at.network, error }, "the chain does not answer");
  });
  facilitatorJobs(jobs, station);
  return createLocalFacilitator(station);
}

function settlerOf(
  choice: FacilitatorChoice,
  at: {
    readonly chain: Chain;
    readonly outbound: Outbound;
    readonly local: LocalFacilitator | undefined;
  },
): Facilitator | undefined {
  if (choice.kind === "local") return at.local;
  const { chain, outbound } = at;
  return isFacilitatorUrl(choice.url)
    ? createRemoteFacilitator({ url: choice.url, token: choice.token, chain, outbound })
    : undefined;
}
