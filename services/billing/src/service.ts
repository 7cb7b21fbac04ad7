import { type Clock, parseId, systemClock } from "@remit/kernel";
import { keepHouse } from "@remit/platform/housekeeping";
import type { Route } from "@remit/platform/http";
import { createJobs, type Jobs } from "@remit/platform/jobs";
import { kekSourceOf, withKeepers } from "@remit/platform/key-places";
import { type OpenKeyring, openKeyring } from "@remit/platform/keys";
import { createOutbound, type Outbound } from "@remit/platform/outbound";
import { recordToOutbox } from "@remit/platform/outbox";
import { createPeer, loadPeerKeys } from "@remit/platform/peers";
import {
  assertSafeRole,
  type Database,
  migrate,
  openDatabase,
  platformMigrations,
} from "@remit/platform/sql";
import { createLog, createMetrics, type Log, type Metrics } from "@remit/platform/telemetry";
import { createCardEngine, openStripe } from "@remit/rails/card";
import { type BillingConfig, leaseMs, proPrice, revealed, stripeTimeoutMs } from "./config.ts";
import { type DisputeDeps, disputeJobs, disputeRoutes, hintDispute, lookSoon } from "./disputes/index.ts";
import { httpOf } from "./edge.ts";
import { exportJobs, hintToken, issuedTokenRoutes } from "./exports/index.ts";
import { feeRoutes } from "./fees/index.ts";
import { hintSetup, instrumentJobs, instrumentOf, instrumentRoutes } from "./instruments/index.ts";
import { type InvoiceDeps, invoiceJobs, invoiceRoutes, taxOf } from "./invoices/index.ts";
import { hearingOf } from "./issuer-signals.ts";
import { jwksRoute } from "./jwks.http.ts";
import { booksRoutes, ledgerJobs, ledgerRoutes } from "./ledger/index.ts";
import {
  createEngine,
  findBehind,
  hintPayment,
  hintRefund,
  lookAtRefundSoon,
  type PaymentDeps,
  payerWalletRoute,
  paymentJobs,
  paymentRoutes,
  type RefundWatch,
} from "./payments/index.ts";
import {
  destinationOf,
  hintPayout,
  type OwnPayoutDeps,
  type PayoutDeps,
  payoutJobs,
  payoutRoutes,
} from "./payouts/index.ts";
import { type CheckoutDeps, hintPlan, type PlanPaymentDeps, planJobs, planRoutes } from "./plans/index.ts";
import {
  openCase,
  type ReconciliationDeps,
  reconciliationJobs,
  reconciliationRoutes,
} from "./reconciliation/index.ts";
import { listenToIssuer } from "./signals/index.ts";
import { statementRoutes } from "./statements/index.ts";
import {
  balanceOf,
  bookedOf,
  clientSecretOf,
  closeDispute,
  issuedTokensAt,
  linkTo,
  makeAccount,
  movementsOf,
  type News,
  ownPayoutsOf,
  payoutsOf,
  planInvoicesOf,
  readAccount,
  readDispute,
  readRefund,
  stripeRoutes,
  submitEvidence,
  subscriptionOfInvoice,
  transfersAt,
} from "./stripe/index.ts";
import { migrations } from "./tables.ts";
import { type TransferDeps, transferJobs } from "./transfers/index.ts";
import { openX402Rail } from "./x402-rail.ts";

/** Billing as a program sees it. `migrate` first, then `listen`; `close` drains. */
export type Service = {
  readonly origin: string;
  migrate(): Promise<void>;
  /** Binds, and returns the address it is bound to. */
  listen(): Promise<string>;
  close(): Promise<void>;
};

export type BillingOptions = { readonly config: BillingConfig; readonly clock?: Clock; readonly log?: Log };

export function createBilling({ config, clock = systemClock, ...options }: BillingOptions): Service {
  const log = options.log ?? createLog({ service: "billing" });
  const db = openDatabase({
    url: config.databaseUrl,
    schema: config.schema,
    relayRole: config.roles.relay,
    ...(config.databaseWaitMs !== undefined && { waitMsMax: config.databaseWaitMs }),
    record: recordToOutbox,
    log,
  });
  const outbound = createOutbound({ allow: config.outboundAllow, log, clock });
  let stop = async (): Promise<void> => undefined;
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
      await assertSafeRole(db);
      const running = await start({ config, clock, log, db, outbound });
      stop = running.stop;
      return running.bound;
    },
    close: async () => {
      await stop();
      await outbound.close();
      await db.close();
    },
  };
}

type Parts = {
  readonly config: BillingConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly db: Database;
  readonly outbound: Outbound;
};

async function start(parts: Parts): Promise<{ bound: string; stop: () => Promise<void> }> {
  const { config, clock, log, db, outbound } = parts;
  const peerKeys = await loadPeerKeys(config.dataDir);
  const peer = createPeer({
    issuer: config.issuer,
    clientId: "billing",
    assertionKey: peerKeys.assertion,
    dpopKey: peerKeys.dpop,
    outbound,
    clock,
  });
  const rooms = roomsOf(parts);
  const { payments, payouts, instruments, plans, disputes, stripe } = rooms;
  const keyring = await withKeepers(() =>
    openKeyring({ db, source: kekSourceOf({ config, service: "billing", outbound, clock }), clock, log }),
  );
  const metrics = createMetrics("billing");
  const books = booksOf(parts, { keyring, metrics, stripe });
  const hearing = hearingOf(parts, { peer, metrics, payments, disputes });
  const { http, forwarding } = httpOf(parts, { keyring, peer, metrics });
  const tokens = issuedTokensAt(stripe);
  http.add(
    jwksRoute(peerKeys),
    hearing.route,
    ...paymentRoutes(payments),
    payerWalletRoute({ networks: Object.keys(config.x402?.rpcUrls ?? {}), wallets: payments.wallets }),
    ...instrumentRoutes(instruments),
    ...books.routes,
    ...disputeRoutes(disputes),
    ...planRoutes(plans),
    ...payoutRoutes(payouts),
    ...issuedTokenRoutes(tokens),
    ...newsRoutes(config, rooms),
  );
  const jobs = createJobs({ db, log, clock });
  paymentJobs(jobs, { ...payments, ...failedRefundsOf(parts, stripe) });
  instrumentJobs(jobs, instruments);
  planJobs(jobs, plans, books.planPayments);
  payoutJobs(jobs, payouts, books.ownPayouts);
  exportJobs(jobs, { clock, log, peer, issuer: config.issuer, ...tokens });
  disputeJobs(jobs, disputes);
  transferJobs(jobs, transfersOf(parts, stripe));
  books.jobs(jobs);
  hearing.jobs(jobs);
  keepHouse(jobs, { db, clock });
  keyring.mount({ http, jobs });
  forwarding.mount(jobs);
  const bound = await http.listen();
  await listenToIssuer(parts);
  await jobs.start();
  return {
    bound,
    stop: async () => {
      await http.close();
      await jobs.stop();
      keyring.close();
    },
  };
}

/** Where Stripe tells its news, if it is to. */
function newsRoutes(
  { stripe: { webhookSecret, connectWebhookSecret }, livemode }: BillingConfig,
  rooms: Rooms,
) {
  if (webhookSecret === undefined) return [];
  const secrets = [webhookSecret, ...(connectWebhookSecret === undefined ? [] : [connectWebhookSecret])];
  return stripeRoutes({
    stripe: rooms.stripe,
    secrets: secrets.map(revealed),
    livemode,
    hint: hintsOf(rooms),
  });
}

/** Who is told of what Stripe says. */
const hintsOf = ({ payments, payouts, plans, instruments, disputes }: Rooms) => ({
  payment: (news: News) => hintPayment(payments, news),
  payout: (news: News) => hintPayout(payouts, news),
  plan: (news: News) => hintPlan(plans, news),
  setup: (news: News) => hintSetup(instruments, news),
  token: (news: News) => hintToken(payments, news),
  dispute: (news: News) => hintDispute(disputes, news),
  refund: (news: News) => hintRefund(payments, news),
});

/** The ledger and what is made of it: fees, months, invoices, reconciliation. */
function booksOf(
  { db, clock, log }: Parts,
  of: {
    readonly keyring: OpenKeyring;
    readonly metrics: Metrics;
    readonly stripe: ReturnType<typeof openStripe>;
  },
): {
  routes: Route[];
  jobs: (jobs: Jobs) => void;
  planPayments: PlanPaymentDeps;
  ownPayouts: OwnPayoutDeps;
} {
  const { keyring, metrics, stripe } = of;
  const invoices: InvoiceDeps = { db, clock, log, keyring };
  const reconciliation: ReconciliationDeps = {
    db,
    clock,
    log,
    movements: (span) => movementsOf(stripe, span),
  };
  return {
    routes: [
      ...ledgerRoutes({ db, clock, log }),
      ...booksRoutes(db),
      ...feeRoutes(db),
      ...invoiceRoutes(invoices),
      ...reconciliationRoutes(reconciliation),
      ...statementRoutes({ db }),
    ],
    jobs: (jobs) => {
      ledgerJobs(jobs, { db, clock, log, metrics });
      invoiceJobs(jobs, invoices);
      reconciliationJobs(jobs, { ...reconciliation, metrics });
    },
    planPayments: {
      db,
      clock,
      atStripe: {
        invoices: (subscription) => planInvoicesOf(stripe, subscription),
        booked: (intent) => bookedOf(stripe, intent),
        subscriptionOf: (invoice) => subscriptionOfInvoice(stripe, invoice),
      },
      taxOf: (tenant) => taxOf(invoices, tenant),
    },
    ownPayouts: { db, clock, ownPayouts: (sinceS) => ownPayoutsOf(stripe, sinceS) },
  };
}

type Rooms = ReturnType<typeof roomsOf>;

function roomsOf({ config, clock, log, db, outbound }: Parts) {
  const stripe = openStripe({
    origin: config.stripe.origin,
    apiKey: revealed(config.stripe.apiKey),
    timeoutMs: config.stripe.timeoutMs ?? stripeTimeoutMs,
  });
  const { confirmOrigin } = config.stripe;
  const confirmAt = (secret: string): string | null =>
    confirmOrigin === undefined ? null : `${confirmOrigin}/sandbox/confirm/${secret}`;
  const x402 = config.x402 && openX402Rail(config.x402, outbound);
  const payments: PaymentDeps = {
    db,
    engine: createEngine({ card: createCardEngine({ stripe, clock }), x402: x402?.engine }),
    wallets: x402?.wallets,
    returns: x402?.returns,
    secretOf: (reference) => clientSecretOf(stripe, reference),
    confirmAt,
    clock,
    log,
    leaseMs: config.leaseMs ?? leaseMs,
    instrumentOf,
    destinationOf: (of) => destinationOf({ db, clock }, of),
    instructions: {
      issuer: config.issuer,
      audience: config.origin,
      keys: outbound.jwksOf(`${config.issuer}/.well-known/jwks.json`),
      clock,
      livemode: config.livemode,
    },
  };
  const { returnOrigins: given = [] } = config;
  const returnOrigins = given.length === 0 ? [config.issuer] : given;
  const plans: CheckoutDeps = {
    db,
    clock,
    stripe,
    prices: [{ tier: "pro", ...(config.proPrice ?? proPrice) }],
    returnOrigins,
  };
  const payouts = payoutsAt(stripe, { db, clock, returnOrigins });
  const disputes: DisputeDeps = {
    db,
    clock,
    log,
    network: {
      read: (reference) => readDispute(stripe, reference),
      answer: (of) => submitEvidence(stripe, of),
      close: (of) => closeDispute(stripe, of),
    },
    paymentBehind: (reference) => findBehind(payments, reference),
  };
  return { payments, payouts, instruments: { db, stripe, clock, confirmAt }, plans, disputes, stripe };
}

/** What was to go back to the payer is ours again, and whose it is no program knows: a case. */
const failedRefundsOf = (
  deps: Parts,
  stripe: ReturnType<typeof openStripe>,
): Pick<RefundWatch, "refundAt" | "openCase"> => ({
  refundAt: (reference) => readRefund(stripe, reference),
  openCase: async ({ reference, refund: { amount } }) => {
    const about = { object: reference, asset: amount.asset.code, ours: amount.units, theirs: null };
    const opened = await openCase(deps, { kind: "refund_failed", ...about });
    if (opened) deps.log.error({ refund: reference }, "a refund has come back: somebody must look");
  },
});

const transfersOf = (deps: Parts, stripe: ReturnType<typeof openStripe>): TransferDeps => ({
  ...deps,
  atStripe: transfersAt(stripe),
  lookAgain: (tx, { about, aboutReference }) =>
    parseId("dispute", about) === undefined
      ? lookAtRefundSoon(tx, aboutReference)
      : lookSoon(tx, aboutReference),
  openCase: async ({ id, amount, way }) => {
    const of = { object: id, asset: amount.asset.code, ours: amount.units, theirs: null };
    const opened = await openCase(deps, { kind: "transfer_refused", ...of });
    if (opened) deps.log.error({ transfer: id, way }, "Stripe moves no money: somebody must look");
  },
});

const payoutsAt = (
  stripe: ReturnType<typeof openStripe>,
  of: Pick<PayoutDeps, "db" | "clock" | "returnOrigins">,
): PayoutDeps => ({
  ...of,
  connect: {
    make: (of) => makeAccount(stripe, of),
    link: (of) => linkTo(stripe, of),
    read: (account) => readAccount(stripe, account),
  },
  atStripe: {
    payouts: (account, since) => payoutsOf(stripe, account, since),
    balance: (account) => balanceOf(stripe, account),
  },
});
