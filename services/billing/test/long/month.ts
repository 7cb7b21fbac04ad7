import { assetOf, type Id, instantOf, invariant, money, newId } from "@remit/kernel";
import { recordToOutbox } from "@remit/platform/outbox";
import type { Database } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { createCardEngine, openStripe } from "@remit/rails/card";
import { instrumentOf } from "../../src/instruments/index.ts";
import { createEngine } from "../../src/payments/engine.ts";
import type { Payment } from "../../src/payments/index.ts";
import type { Order } from "../../src/payments/instructions.ts";
import { capture, hold, lookAfter, type PaymentDeps, refund, release } from "../../src/payments/payments.ts";
import type { Stage } from "../stage.ts";

/** Mulberry32: the same numbers for the same seed, wherever it runs. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export type Shop = { readonly tenant: Id<"tenant">; readonly merchant: Id<"merchant"> };
export type Month = {
  readonly db: Database;
  readonly payments: PaymentDeps;
  readonly shops: readonly Shop[];
  /** Of each charge, whose it is. */
  readonly sold: Map<string, Shop>;
  /** One purchase and all that becomes of it on its first day. */
  buy(): Promise<void>;
  /** Brings every payment to an end that is still on its way. */
  settle(): Promise<number>;
};

const currencies = ["USD", "EUR", "JPY"] as const;

export function openMonth(
  stage: Stage,
  { payers, broke, chance }: { payers: readonly Id<"tenant">[]; broke: Id<"tenant">; chance: () => number },
): Month {
  const { clock, sandbox } = stage;
  const db = stage.database.open({ poolMax: 24, record: recordToOutbox });
  const stripe = openStripe({ ...sandbox.stripe, timeoutMs: 20_000 });
  const payments: PaymentDeps = {
    db,
    clock,
    engine: createEngine({ card: createCardEngine({ stripe, clock }), x402: undefined }),
    wallets: undefined,
    returns: undefined,
    log: createLog({ service: "billing", level: "silent" }),
    leaseMs: 30_000,
    secretOf: () => Promise.resolve(undefined),
    confirmAt: () => null,
    instrumentOf,
    destinationOf: () => Promise.resolve(undefined),
    // Orders are made here, without the authorization server's signature.
    instructions: {
      issuer: stage.issuer.origin,
      audience: stage.config.origin,
      keys: () => Promise.resolve([]),
      clock,
      livemode: false,
    },
  };
  const pick = <T>(of: readonly T[]): T => {
    const one = of[Math.floor(chance() * of.length)];
    invariant(one !== undefined, "there is something to pick from");
    return one;
  };
  const tenants = Array.from({ length: 6 }, () => newId("tenant"));
  const shops = tenants.flatMap((tenant) => [0, 1].map(() => ({ tenant, merchant: newId("merchant") })));
  const sold = new Map<string, Shop>();
  const orderOf = (): Order => {
    const shop = pick(shops);
    const asset = assetOf(pick(currencies));
    invariant(asset !== undefined, "currencies that we know");
    const charge = newId("charge");
    sold.set(charge, shop);
    const units = 50 + Math.floor(chance() ** 3 * 60_000);
    // What an instruction has beside is read by nobody here.
    return {
      op: "hold",
      charge,
      generation: 1,
      payer: chance() < 0.06 ? broke : pick(payers),
      payee: shop.tenant,
      merchant: shop.merchant,
      instrument: null,
      amount_minor: units,
      currency: asset.code,
      livemode: false,
      amount: money(asset, BigInt(units)),
    } as Order;
  };
  /** Twice at once, now and then: a retry that races what it repeats. */
  const perhapsTwice = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    const runs = chance() < 0.1 ? [work(), work()] : [work()];
    const [first] = (await Promise.allSettled(runs)).filter((run) => run.status === "fulfilled");
    return first?.value;
  };
  const part = ({ asset, units }: Order["amount"]) =>
    money(asset, 50n > units ? units : BigInt(Math.max(50, Math.floor(Number(units) * chance()))));
  const buy = async (): Promise<void> => {
    await misbehave(stage, chance);
    const order = orderOf();
    const held = (await perhapsTwice(() => hold(payments, order)))?.payment;
    if (held === undefined) return;
    if (chance() < 0.09) return void (await perhapsTwice(() => release(payments, held.id, order)));
    const amount = chance() < 0.2 ? part(order.amount) : order.amount;
    await perhapsTwice(() => capture(payments, held.id, { ...order, amount }));
    const paid = await lookAfter(payments, { tenant: held.tenant, payment: held.id }).catch(() => undefined);
    if (paid?.state === "captured") await afterwards(paid, order);
  };
  const afterwards = async (paid: Payment, order: Order): Promise<void> => {
    const what = chance();
    if (what < 0.18) {
      const amount = chance() < 0.5 ? part(paid.captured) : paid.captured;
      const wanted = {
        ...order,
        amount: amount.units > paid.captured.units ? paid.captured : amount,
        refund: newId("refund"),
      };
      await perhapsTwice(() => refund(payments, paid.id, wanted));
    } else if (what < 0.24 && paid.reference !== null) {
      const dispute = await sandbox.dispute(paid.reference, { inquiry: chance() < 0.2 });
      const end = pick(["won", "lost", "under_review", "needs_response", "won,lost", "lost,won"]);
      for (const status of end.split(",")) await sandbox.decide(dispute, status);
    }
  };
  const settle = async (): Promise<number> => {
    const open = await stage.database.asAdmin<{ tenant_id: Id<"tenant">; id: Id<"payment"> }>(
      "select tenant_id, id from payments where state in ('authorizing', 'capturing', 'releasing', 'refunding')",
    );
    for (const { tenant_id: tenant, id: payment } of open)
      await lookAfter(payments, { tenant, payment }).catch(() => undefined);
    return open.length;
  };
  return { db, payments, shops, sold, buy, settle };
}

const operations = [
  "payment_intents.create",
  "payment_intents.confirm",
  "payment_intents.capture",
  "payment_intents.cancel",
  "refunds.create",
  "payment_intents.retrieve",
];
const mischief = [
  "error_500",
  "error_500_after_effect",
  "drop_answer",
  "drop_request",
  "decline",
  "late_booking",
] as const;

/** Of twelve purchases, one meets a Stripe that does not do as it should. */
async function misbehave({ sandbox }: Stage, chance: () => number): Promise<void> {
  if (chance() >= 1 / 12) return;
  const operation = operations[Math.floor(chance() * operations.length)] ?? "";
  const action = mischief[Math.floor(chance() * mischief.length)] ?? "error_500";
  await sandbox.fail(operation, { action, times: 1 + Math.floor(chance() * 3) });
}

/** The first instant of a month of the past, from which the days are counted. */
export const monthStart = instantOf(Date.UTC(2026, 8, 1, 6));
