import type { Clock } from "@remit/kernel";
import type { Http } from "@remit/platform/http";
import type { Jobs } from "@remit/platform/jobs";
import type { Keyring } from "@remit/platform/keys";
import { createMisuses } from "@remit/platform/misuse";
import type { Outbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import type { Log, Metrics } from "@remit/platform/telemetry";
import { stapledOf } from "./audit/index.ts";
import {
  type ChargesDeps,
  chargeJobs,
  chargeRoutes,
  createBilling,
  createCharges,
  createMerchants,
  purchaseAnswers,
  soldRoutes,
  tabJobs,
  walletChargeRoutes,
} from "./charges/index.ts";
import { nameOfAgent } from "./clients/index.ts";
import type { AuthorizationServerConfig } from "./config.ts";
import {
  createDisputeNetwork,
  type DisputesDeps,
  disputeJobs,
  disputeRoutes,
  walletDisputeRoutes,
} from "./disputes/index.ts";
import { evidenceRoutes } from "./evidence/index.ts";
import { exportJobs, exportRoutes, revokeAtBilling, revokeExportsOf } from "./exports/index.ts";
import { evidenceKeySet, type IssuerKeys } from "./keys/index.ts";
import {
  budgetJobs,
  createMandates,
  type Mandates,
  mandateRoutes,
  minorOf,
  roomBy,
} from "./mandates/index.ts";
import { merchantPolicyRoutes } from "./merchant-policies/index.ts";
import { createOwnPeer } from "./own-peer.ts";
import type { People } from "./people.ts";
import { createReceipts, receiptRoutes } from "./receipts/index.ts";
import { rulesRoutes } from "./rules/index.ts";
import { spendingRoutes } from "./spending/index.ts";
import { createStatusLists, statusListRoutes } from "./status-lists/index.ts";
import { suspendedAssetRoutes } from "./suspended-assets/index.ts";
import { walletRoutes } from "./wallet/index.ts";

type Grounds = {
  readonly config: AuthorizationServerConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly db: Database;
  readonly keyring: Keyring;
  readonly keys: IssuerKeys;
  /** To the services of ours that a charge needs. */
  readonly outbound: Outbound;
};

/** Who gives mandates and how they show it. */
type Givers = {
  readonly accounts: Pick<People["accounts"], "byId">;
  readonly factors: Pick<People["factors"], "hasSecond" | "hasSecondWithin">;
};

type Mounting = { readonly http: Http; readonly jobs: Jobs };

/** Mandates and what may be charged under them. */
export function mountMandates(
  grounds: Grounds,
  { http, people }: Pick<Mounting, "http"> & { readonly people: Givers },
): Mandates {
  const { config, clock, db, keys } = grounds;
  const { issuer, livemode } = config;
  const statusLists = createStatusLists({ db, issuer, keys, clock });
  const mandates = createMandates({ ...grounds, issuer, livemode, statusLists });
  const { accounts, factors } = people;
  http.add(
    ...statusListRoutes(statusLists),
    ...mandateRoutes({ db, mandates, livemode, accounts, factors }),
    ...suspendedAssetRoutes({ db }),
    ...exportRoutes({ db, clock, keys, keyring: grounds.keyring, mandates }),
    ...spendingRoutes({ db, minorOf, roomBy, budgetOf: (...of) => mandates.budgetOf(...of) }),
    ...rulesRoutes({ db, livemode, factors }),
    ...walletRoutes({ db, livemode, factors, mandates, nameOf: (agent) => nameOfAgent(db, agent) }),
  );
  return mandates;
}

/** Decides charges, and has billing carry them out as a peer of ours that mints its own tokens. */
export async function mountCharges(
  grounds: Grounds,
  { http, jobs, mandates }: Mounting & { readonly mandates: Mandates },
): Promise<PurchaseAnswers> {
  const { config, clock, db, keys, keyring, outbound, log } = grounds;
  const { issuer, livemode } = config;
  const peer = await createOwnPeer(grounds);
  const receipts = createReceipts({ db, issuer, keys, clock });
  const leaseMs = config.chargeLeaseMs;
  const deps: ChargesDeps = {
    leaseMs,
    tabCredit: config.tabCredit,
    db,
    issuer,
    livemode,
    clock,
    log,
    keys,
    keyring,
    mandates,
    receipts,
    billing: createBilling({ peer, origin: config.billing, issuer, keys, clock, log }),
    merchants: createMerchants({ outbound, directory: config.directory, clock }),
    misuses: createMisuses(db, "authorization-server"),
  };
  const charges = createCharges(deps);
  http.add(
    ...merchantPolicyRoutes({ db, merchantOf: (client) => deps.merchants.ofClient(client) }),
    ...chargeRoutes({ db, clock, charges, leaseMs }),
    ...walletChargeRoutes({ db, receipts }),
    ...soldRoutes({ db, charges }),
    ...receiptRoutes(receipts, (tenant, charge) =>
      stapledOf({ db }, tenant, { type: "charge.captured", subject: charge }),
    ),
  );
  const network = createDisputeNetwork({ peer, origin: config.billing, disputes: () => disputes });
  const disputes: DisputesDeps = { db, clock, log, keyring, charges, network };
  const publishedKeys = (): object => evidenceKeySet(keys, issuer);
  http.add(
    ...disputeRoutes(disputes),
    ...walletDisputeRoutes({ ...disputes, receipts }),
    ...evidenceRoutes({ db, clock, issuer, keys, keyring, charges, receipts, publishedKeys }),
  );
  budgetJobs(jobs, grounds);
  disputeJobs(jobs, disputes);
  chargeJobs(jobs, charges);
  tabJobs(jobs, { ...deps, besides: (tx, mandate) => revokeExportsOf(tx, mandate, clock.now()) });
  const revokeToken = revokeAtBilling({ peer, origin: config.billing });
  exportJobs(jobs, { db, clock, revokeToken });
  return purchaseAnswers(deps);
}

/** What principals' answers do to the purchases that wait for them. */
export type PurchaseAnswers = ReturnType<typeof purchaseAnswers>;
