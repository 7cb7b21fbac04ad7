import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Clock } from "@remit/kernel";
import { createSandbox, type Sandbox } from "@remit/sandbox";

export type SandboxFailure = {
  readonly action:
    | "decline"
    | "delay_ms"
    | "drop_answer"
    | "drop_request"
    | "error_500"
    | "error_500_after_effect"
    | "hang"
    | "hang_request"
    | "late_booking";
  readonly times?: number;
  readonly nth?: number;
  readonly delay_ms?: number;
  readonly decline_code?: string;
};

export type SeenAtSandbox = {
  readonly status: number;
  readonly replayed: boolean;
  readonly idempotency_key: string | null;
};
export type IntentAtSandbox = {
  readonly id: string;
  readonly status: string;
  readonly amount: number;
  readonly amount_received: number;
  readonly metadata: Readonly<Record<string, string>>;
};

export type TokenAtSandbox = {
  readonly id: string;
  readonly deactivated_reason: string | null;
  readonly usage_details: { readonly amount_captured: { readonly value: number } };
};
export type TransferAtSandbox = {
  readonly amount: number;
  readonly amount_reversed: number;
  readonly destination: string;
};

/** What is booked on a balance: the platform's where `_account` is missing. */
export type MovementAtSandbox = {
  readonly id: string;
  readonly amount: number;
  readonly fee: number;
  readonly net: number;
  readonly exchange_rate: number | null;
  readonly currency: string;
  readonly type: string;
  readonly reporting_category: string;
  readonly source: string;
  readonly _account?: string | null;
};

export type RefundAtSandbox = { readonly id: string; readonly amount: number };

/** A sandbox in this process, with its switches at hand. */
export type TestSandbox = {
  readonly origin: string;
  readonly dataDir: string;
  /** What `openStripe` takes. */
  readonly stripe: { readonly origin: string; readonly apiKey: string };
  /** Makes the next call of an operation (`payment_intents.capture`) go wrong. */
  fail(operation: string, failure: SandboxFailure): Promise<void>;
  heal(): Promise<void>;
  requests(operation: string): Promise<readonly SeenAtSandbox[]>;
  paymentIntents(query?: { status?: string; charge?: string }): Promise<readonly IntentAtSandbox[]>;
  refunds(paymentIntent: string): Promise<readonly RefundAtSandbox[]>;
  /** An agent grants this seller a shared payment token. */
  token(of: {
    amount: number;
    currency?: string;
    card?: string;
    expiresAt?: number;
    networkId?: string;
  }): Promise<string>;
  tokens(): Promise<readonly TokenAtSandbox[]>;
  transfers(): Promise<readonly TransferAtSandbox[]>;
  /** The cardholder's bank disputes what was captured of a payment; answers the dispute's id. */
  dispute(
    paymentIntent: string,
    how?: { readonly amount?: number; readonly reason?: string; readonly inquiry?: boolean },
  ): Promise<string>;
  /** What the card network makes of a dispute. */
  decide(dispute: string, status: string): Promise<void>;
  /** The cardholder's bank sends back a refund that had succeeded. */
  failRefund(refund: string): Promise<void>;
  /** In which currency our balance is kept, and at which rates others are converted to it from now on. */
  settleIn(currency: string, rates: Readonly<Record<string, number>>): Promise<void>;
  movements(): Promise<readonly MovementAtSandbox[]>;
  /** A merchant gives its particulars at the page of an account link, all or all but one; answers where it leads back to. */
  onboard(link: string, standing?: "complete" | "more_due"): Promise<string>;
  /** What Stripe comes to think of a connected account. */
  standAccount(account: string, standing: "complete" | "more_due" | "stopped"): Promise<void>;
  /** Stripe pays a balance out to its owner's bank; answers the payout's id. */
  payOut(of: {
    readonly account?: string;
    readonly currency: string;
    readonly amount?: number;
    readonly status?: "failed" | "in_transit" | "paid";
  }): Promise<string>;
  /** Stripe forgets idempotency keys after 24 h: here, now. */
  forgetKeys(): Promise<void>;
  upstream(to: { answer: string; times?: number; delay_ms?: number }): Promise<void>;
  upstreamCalls(): Promise<number>;
  authenticate(setupIntent: string): Promise<void>;
  /** The cardholder confirms a payment at the issuer. */
  authenticatePayment(paymentIntent: string): Promise<void>;
  /** Somebody pays at the address to which Checkout leads. */
  pay(checkoutUrl: string, card?: string): Promise<{ readonly subscription: string }>;
  /** A subscription comes to stand otherwise. */
  subscription(id: string, status: "active" | "canceled" | "past_due" | "unpaid"): Promise<void>;
  /** A subscription goes on to its next period, which is paid for. */
  renew(id: string): Promise<void>;
  subscriptions(): Promise<
    readonly { readonly id: string; readonly status: string; readonly customer: string }[]
  >;
  addWebhook(endpoint: { url: string; secret: string }): Promise<void>;
  /** Lets its Vault be sealed, forget its tokens, or sign as older servers do. */
  vault(to: { sealed?: boolean; expire_tokens?: boolean; always_der?: boolean }): Promise<void>;
  vaultCalls(): Promise<Readonly<Record<string, number>>>;
  /** Lets its KMS be away, or forget the credentials that it gave to containers. */
  kms(to: { away?: boolean; expire_tokens?: boolean }): Promise<void>;
  kmsCalls(): Promise<Readonly<Record<string, number>>>;
  close(): Promise<void>;
};

export async function testSandbox(options: { clock?: Clock } = {}): Promise<TestSandbox> {
  const dataDir = mkdtempSync(path.join(tmpdir(), "remit-test-sandbox-"));
  const sandbox = createSandbox({ port: 0, dataDir, ...options });
  await sandbox.listen();
  return {
    ...switchesOf(() => sandbox.origin),
    origin: sandbox.origin,
    dataDir,
    stripe: { origin: sandbox.origin, apiKey: "sk_test_remit" },
    close: () => closeAndForget(sandbox, dataDir),
  };
}

async function closeAndForget(sandbox: Sandbox, dataDir: string): Promise<void> {
  await sandbox.close();
  rmSync(dataDir, { recursive: true, force: true });
}

/** The switches of a sandbox at an origin: also of one that runs as a process of its own. */
export function switchesOf(
  origin: () => string,
): Omit<TestSandbox, "origin" | "dataDir" | "stripe" | "close"> {
  const call = async (method: string, at: string, body?: object): Promise<unknown> => {
    const answer = await fetch(origin() + at, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new TypeError(`${method} ${at}: ${await answer.text()}`);
    return answer.json();
  };
  // The sandbox is ours: what its lists hold is declared beside it.
  const list = async <T>(at: string): Promise<readonly T[]> =>
    ((await call("GET", at)) as { data: readonly T[] }).data;
  return {
    fail: async (operation, { nth, ...failure }) => {
      const match = nth === undefined ? { operation } : { operation, nth };
      await call("POST", "/sandbox/failures", { match, ...failure });
    },
    heal: async () => void (await call("DELETE", "/sandbox/failures")),
    requests: (operation) => list(`/sandbox/requests?operation=${operation}`),
    paymentIntents: (query = {}) => list(`/sandbox/payment_intents?${new URLSearchParams(query).toString()}`),
    refunds: (intent) => list(`/sandbox/refunds?payment_intent=${intent}`),
    token: async ({ amount, currency = "usd", card = "pm_card_visa", ...more }) => {
      const wanted = { amount: String(amount), currency, paymentMethod: card, ...more };
      // What the sandbox answers is declared beside it.
      return ((await call("POST", "/sandbox/tokens", wanted)) as { spt: string }).spt;
    },
    tokens: () => list("/sandbox/tokens"),
    transfers: () => list("/sandbox/transfers"),
    dispute: async (intent, how = {}) =>
      // What the sandbox answers is declared beside it.
      ((await call("POST", "/sandbox/disputes", { payment_intent: intent, ...how })) as { id: string }).id,
    decide: async (dispute, status) => void (await call("POST", `/sandbox/disputes/${dispute}`, { status })),
    failRefund: async (refund) => void (await call("POST", `/sandbox/refunds/${refund}/fail`, {})),
    ...connectOf(call),
    settleIn: async (currency, rates) => void (await call("POST", "/sandbox/settling", { currency, rates })),
    movements: () => list("/sandbox/balance_transactions"),
    forgetKeys: async () => void (await call("DELETE", "/sandbox/idempotency")),
    upstream: async (to) => void (await call("POST", "/sandbox/upstream", to)),
    upstreamCalls: async () => ((await call("GET", "/sandbox/upstream")) as { calls: number }).calls,
    authenticatePayment: async (id) =>
      void (await call("POST", `/sandbox/payment_intents/${id}/authenticate`, {})),
    authenticate: async (id) => void (await call("POST", `/sandbox/setup_intents/${id}/authenticate`, {})),
    pay: async (checkoutUrl, card = "pm_card_visa") =>
      // The sandbox answers with the session, which is complete.
      (await call("POST", `${new URL(checkoutUrl).pathname}/pay`, { payment_method: card })) as {
        subscription: string;
      },
    subscription: async (id, status) => void (await call("POST", `/sandbox/subscriptions/${id}`, { status })),
    renew: async (id) => void (await call("POST", `/sandbox/subscriptions/${id}/renewal`, {})),
    subscriptions: () => list("/sandbox/subscriptions"),
    addWebhook: async (endpoint) => void (await call("POST", "/sandbox/webhooks", endpoint)),
    vault: async (to) => void (await call("POST", "/sandbox/vault", to)),
    kms: async (to) => void (await call("POST", "/sandbox/kms", to)),
    kmsCalls: async () => ((await call("GET", "/sandbox/kms")) as { calls: Record<string, number> }).calls,
    vaultCalls: async () =>
      ((await call("GET", "/sandbox/vault")) as { calls: Record<string, number> }).calls,
  };
}

type CallSandbox = (method: string, at: string, body?: object) => Promise<unknown>;

const connectOf = (call: CallSandbox): Pick<TestSandbox, "onboard" | "standAccount" | "payOut"> => ({
  onboard: async (link, standing = "complete") => {
    const body = new URLSearchParams({ standing });
    const answer = await fetch(link, { method: "POST", body, redirect: "manual" });
    const location = answer.headers.get("location");
    if (answer.status !== 303 || location === null) throw new TypeError(`onboarding: ${answer.status}`);
    return location;
  },
  standAccount: async (account, standing) =>
    void (await call("POST", `/sandbox/accounts/${account}`, { standing })),
  payOut: async (of) =>
    // What the sandbox answers is declared beside it.
    ((await call("POST", "/sandbox/payouts", of)) as { id: string }).id,
});
