import { z } from "zod";
import { type Failures, failureActions } from "./failures.ts";
import type { Kms } from "./kms/index.ts";
import { type Account, StripeRefusal } from "./stripe/index.ts";
import { type Upstream, upstreamAnswers } from "./upstream.ts";
import type { Vault } from "./vault/index.ts";

export type ControlAnswer = { readonly status: number; readonly body: unknown };
export type ControlRequest = {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
};
export type ControlDeps = {
  readonly account: Account;
  readonly failures: Failures;
  readonly upstream: Upstream;
  readonly vault: Vault;
  readonly kms: Kms;
};

const times = z.int().min(1).max(1_000_000).optional();
const delay = z.int().min(0).max(600_000).optional();

const Failure = z.strictObject({
  match: z.strictObject({
    method: z.enum(["GET", "POST", "DELETE"]).optional(),
    path: z.string().startsWith("/v1/").optional(),
    operation: z
      .string()
      .regex(/^[a-z_]+\.[a-z_]+$/)
      .optional(),
    nth: z.int().min(1).optional(),
  }),
  action: z.enum(failureActions),
  times,
  delay_ms: delay,
  decline_code: z
    .string()
    .regex(/^[a-z_]+$/)
    .optional(),
});
const UpstreamBody = z.strictObject({ answer: z.enum(upstreamAnswers), times, delay_ms: delay });
const VaultBody = z.strictObject({
  sealed: z.boolean().optional(),
  expire_tokens: z.boolean().optional(),
  always_der: z.boolean().optional(),
});
const KmsBody = z.strictObject({ away: z.boolean().optional(), expire_tokens: z.boolean().optional() });
const Endpoint = z.strictObject({ url: z.url(), secret: z.string().startsWith("whsec_").optional() });

/** What the clients of the Machine Payments Protocol ask of the address at which they have tokens made. */
const TokenBody = z.looseObject({
  amount: z.string().regex(/^\d{1,8}$/),
  currency: z.string().length(3),
  expiresAt: z.int().positive().optional(),
  networkId: z.string().min(1).optional(),
  paymentMethod: z.string().default("pm_card_visa"),
  metadata: z.record(z.string(), z.string()).default({}),
});

const Disputed = z.strictObject({
  payment_intent: z.string(),
  amount: z.int().min(1).optional(),
  reason: z.string().optional(),
  inquiry: z.boolean().optional(),
});
const Decided = z.strictObject({
  status: z.enum([
    "lost",
    "needs_response",
    "under_review",
    "warning_closed",
    "warning_needs_response",
    "warning_under_review",
    "won",
  ]),
});

const FailedRefund = z.strictObject({ reason: z.string().default("lost_or_stolen_card") });

const PayingOut = z.strictObject({
  account: z.string().optional(),
  currency: z.string().regex(/^[a-z]{3}$/),
  amount: z.int().optional(),
  status: z.enum(["failed", "in_transit", "paid"]).optional(),
});
const Settling = z.strictObject({
  currency: z.string().regex(/^[a-z]{3}$/),
  rates: z.record(z.string().regex(/^[a-z]{3}$/), z.number().positive()),
});
const AccountStands = z.strictObject({ standing: z.enum(["complete", "more_due", "stopped"]) });

const Payment = z.strictObject({ payment_method: z.string().default("pm_card_visa") });
const Standing = z.strictObject({ status: z.enum(["active", "canceled", "past_due", "unpaid"]) });

/** The switches and windows of the sandbox: for tests and for people who try things out. */
export async function control(deps: ControlDeps, request: ControlRequest): Promise<ControlAnswer> {
  const { method, path } = request;
  switch (`${method} ${path}`) {
    case "GET /sandbox/failures":
      return ok({ data: deps.failures.list() });
    case "POST /sandbox/failures":
      return parsed(Failure, request.body, (failure) => {
        deps.failures.set(failure);
        return ok({ data: deps.failures.list() });
      });
    case "DELETE /sandbox/failures":
      deps.failures.clear();
      return ok({ data: [] });
    case "GET /sandbox/requests":
      return ok({ data: requestsOf(deps.account, request.query) });
    case "DELETE /sandbox/idempotency":
      await deps.account.forgetKeys();
      return ok({ data: [] });
    case "GET /sandbox/refunds":
      return ok({ data: refundsOf(deps.account, request.query) });
    case "GET /sandbox/payment_intents":
      return ok({ data: intentsOf(deps.account, request.query) });
    case "GET /sandbox/events":
      return ok({ data: deps.account.all("event") });
    case "GET /sandbox/subscriptions":
      return ok({ data: deps.account.all("subscription") });
    case "GET /sandbox/upstream":
      return ok({ calls: deps.upstream.calls() });
    case "POST /sandbox/upstream":
      return parsed(UpstreamBody, request.body, (to) => {
        deps.upstream.set(to);
        return ok({ calls: deps.upstream.calls() });
      });
    case "GET /sandbox/vault":
      return ok({ calls: deps.vault.calls() });
    case "POST /sandbox/vault":
      return parsed(VaultBody, request.body, (to) => {
        deps.vault.set(to);
        return ok({ calls: deps.vault.calls() });
      });
    case "GET /sandbox/kms":
      return ok({ calls: deps.kms.calls() });
    case "POST /sandbox/kms":
      return parsed(KmsBody, request.body, (to) => {
        deps.kms.set(to);
        return ok({ calls: deps.kms.calls() });
      });
    case "GET /sandbox/tokens":
      return ok({ data: deps.account.all("shared_payment.granted_token") });
    case "POST /sandbox/tokens":
      return parsed(TokenBody, request.body, (wanted) => granted(deps.account, wanted));
    case "GET /sandbox/transfers":
      return ok({ data: deps.account.all("transfer") });
    case "POST /sandbox/webhooks":
      return parsed(Endpoint, request.body, async (endpoint) => ok(await deps.account.addEndpoint(endpoint)));
    default:
      return (await connected(deps, request)) ?? authenticated(deps, request);
  }
}

/** Makes a token as an agent's own platform would, and answers as clients expect: `{spt}`. */
async function granted(account: Account, wanted: z.infer<typeof TokenBody>): Promise<ControlAnswer> {
  try {
    const { id } = await account.grant({
      method: wanted.paymentMethod,
      currency: wanted.currency.toLowerCase(),
      maxAmount: Number(wanted.amount),
      expiresAt: wanted.expiresAt ?? null,
      networkId: wanted.networkId ?? "internal",
      externalId: null,
      metadata: wanted.metadata,
    });
    return ok({ spt: id });
  } catch (error) {
    if (error instanceof StripeRefusal) return { status: 400, body: { error: error.message } };
    throw error;
  }
}

/** Connected accounts: all of them, what Stripe comes to think of one, and its paying out of a balance. */
async function connected(
  { account }: ControlDeps,
  { method, path, body }: ControlRequest,
): Promise<ControlAnswer | undefined> {
  const named = /^\/sandbox\/accounts\/(\w+)$/.exec(path)?.[1];
  if (method === "GET" && path === "/sandbox/accounts") return ok({ data: account.all("account") });
  if (method !== "POST") return undefined;
  if (path === "/sandbox/payouts")
    return parsed(PayingOut, body, (of) => refusable(async () => ok(await account.payOut(of))));
  if (path === "/sandbox/settling")
    return parsed(Settling, body, async (of) => ok(await account.settleIn(of)));
  return named === undefined
    ? undefined
    : parsed(AccountStands, body, ({ standing }) =>
        refusable(async () => ok(await account.standAccount(named, standing))),
      );
}

async function authenticated(
  { account }: ControlDeps,
  { method, path, body }: ControlRequest,
): Promise<ControlAnswer> {
  const paid = /^\/sandbox\/checkout\/(\w+)\/pay$/.exec(path);
  const stands = /^\/sandbox\/subscriptions\/(\w+)$/.exec(path);
  if (method === "POST" && (paid !== null || stands !== null))
    return refusable(() =>
      paid === null
        ? parsed(Standing, body, async ({ status }) => ok(await account.standAs(stands?.[1] ?? "", status)))
        : parsed(Payment, body === "" ? "{}" : body, async ({ payment_method: card }) =>
            ok(await account.payCheckout(paid[1] ?? "", card)),
          ),
    );
  const renewed = /^\/sandbox\/subscriptions\/(\w+)\/renewal$/.exec(path);
  if (method === "POST" && renewed !== null)
    return refusable(async () => ok(await account.renew(renewed[1] ?? "")));
  if (path === "/sandbox/balance_transactions" && method === "GET")
    return ok({ data: account.all("balance_transaction") });
  if (path === "/sandbox/disputes")
    return method === "GET"
      ? ok({ data: account.all("dispute") })
      : parsed(Disputed, body, ({ payment_intent: intent, ...how }) =>
          refusable(async () => ok(await account.dispute(intent, how))),
        );
  const decided = /^\/sandbox\/disputes\/(\w+)$/.exec(path);
  if (method === "POST" && decided !== null)
    return refusable(() =>
      parsed(Decided, body, async ({ status }) => ok(await account.decide(decided[1] ?? "", status))),
    );
  const failing = /^\/sandbox\/refunds\/(\w+)\/fail$/.exec(path);
  if (method === "POST" && failing !== null)
    return parsed(FailedRefund, body, ({ reason }) =>
      refusable(async () => ok(await account.failRefund(failing[1] ?? "", reason))),
    );
  const match = /^\/sandbox\/(setup|payment)_intents\/(\w+)\/authenticate$/.exec(path);
  const [, kind, id = ""] = match ?? [];
  if (method !== "POST" || kind === undefined) return { status: 404, body: { error: "no such switch" } };
  return refusable(async () =>
    ok(await (kind === "setup" ? account.authenticate(id) : account.authenticatePayment(id))),
  );
}

async function refusable(work: () => Promise<ControlAnswer>): Promise<ControlAnswer> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StripeRefusal) return { status: 404, body: { error: error.message } };
    throw error;
  }
}

const requestsOf = (account: Account, query: URLSearchParams) =>
  account
    .requests()
    .filter(
      (seen) =>
        (query.get("operation") ?? seen.operation) === seen.operation &&
        (query.get("method") ?? seen.method) === seen.method,
    );

/** All PaymentIntents, or those with a status or with `metadata[charge]`. */
const intentsOf = (account: Account, query: URLSearchParams) =>
  account
    .all("payment_intent")
    .filter(
      (intent) =>
        (query.get("status") ?? intent.status) === intent.status &&
        (query.get("charge") === null || intent.metadata.charge === query.get("charge")),
    );

const refundsOf = (account: Account, query: URLSearchParams) =>
  account
    .all("refund")
    .filter((refund) => (query.get("payment_intent") ?? refund.payment_intent) === refund.payment_intent);

const ok = (body: unknown): ControlAnswer => ({ status: 200, body });

async function parsed<T>(
  schema: z.ZodType<T>,
  body: string,
  then: (value: T) => ControlAnswer | Promise<ControlAnswer>,
): Promise<ControlAnswer> {
  const read = schema.safeParse(jsonOf(body));
  return read.success ? then(read.data) : { status: 400, body: { error: z.prettifyError(read.error) } };
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
