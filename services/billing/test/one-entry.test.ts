import { createHmac } from "node:crypto";
import { type Id, newId, parseId, systemClock, toNumericDate } from "@remit/kernel";
import type { JsonObject } from "@remit/protocol";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStage, type Purchase, purchaseOf, type Stage, webhookSecret } from "./stage.ts";
import { type Signal, type Transmitter, transmitterOf } from "./transmitter.ts";

// Four bring the same news: billing's own call, a signal of the issuer, that signal again, and a webhook of Stripe. Nothing but what
// this file sends is sent, so that it says who comes first.
let stage: Stage;
let payer: Id<"tenant">;
let transmitter: Transmitter;

beforeAll(async () => {
  transmitter = transmitterOf({
    clock: systemClock,
    issuer: () => stage.issuer,
    billing: () => stage.address(),
  });
  stage = await openStage({
    stripeTimeoutMs: 20_000,
    webhooks: false,
    answering: (asked) => transmitter.answering(asked),
  });
  transmitter.away = false;
  payer = await stage.payer();
  await eventually(async () =>
    expect(await stage.database.asAdmin("select from signal_streams")).toHaveLength(1),
  );
});
afterAll(() => stage.close());

type Entry = { readonly kind: string; readonly transition: string };
const entriesOf = ({ charge }: Purchase): Promise<Entry[]> =>
  stage.database.asAdmin<Entry>(
    "select kind, transition from ledger_entries where charge_id = $1 order by kind, transition",
    [charge],
  );
const countOf = async (of: Purchase, kind: string): Promise<number> =>
  (await entriesOf(of)).filter((entry) => entry.kind === kind).length;
const owed = async ({ payee }: Purchase): Promise<number> => {
  const [row] = await stage.database.asAdmin<{ balance: string }>(
    "select balance from ledger_accounts where tenant_id = $1 and code = 'merchant_payable'",
    [payee],
  );
  return -Number(row?.balance ?? 0);
};
/** No job has anything to read or to book any more. */
const idle = () =>
  eventually(async () => {
    const queues = ["payments.hint", "payments.book", "payments.refunds", "disputes.look"];
    expect(await stage.database.asAdmin("select queue from jobs where queue = any($1)", [queues])).toEqual(
      [],
    );
  });
const areTrue = async (): Promise<void> => {
  expect(await stage.books()).toMatchObject({ balanced: true });
};

type Event = { readonly type: string; readonly data: { readonly object: { readonly id: string } } };
/** What Stripe has to say of an object of its own, as it says it; with another name where it says the same under two. */
async function stripeTells(object: string, type: string, told = type): Promise<void> {
  const answer = await fetch(`${stage.sandbox.origin}/sandbox/events`);
  const { data } = (await answer.json()) as { data: Event[] };
  const event = data.find((one) => one.data.object.id === object && one.type === type);
  expect(event, `${type} of ${object}`).toBeDefined();
  const body = JSON.stringify({ ...event, type: told });
  const at = toNumericDate(systemClock.now());
  const mac = createHmac("sha256", webhookSecret).update(`${at}.${body}`).digest("hex");
  const headers = { "stripe-signature": `t=${at},v1=${mac}` };
  const heard = await fetch(`${stage.address()}/api/v1/webhooks/stripe`, { method: "POST", body, headers });
  expect(heard.status).toBe(200);
}
const post = async ({ token }: Signal): Promise<void> =>
  expect((await transmitter.post(token)).status).toBe(202);

type Held = { readonly of: Purchase; readonly id: string; readonly reference: string };
async function held(): Promise<Held> {
  const of = purchaseOf(payer);
  const { body } = await stage.order("hold", of);
  expect(body["status"]).toBe("authorized");
  return { of, id: String(body["id"]), reference: String(body["reference"]) };
}
/** Somebody takes the money at Stripe itself, and nobody here has heard of it. */
async function takenAtStripe(reference: string): Promise<void> {
  const taken = await fetch(`${stage.sandbox.origin}/v1/payment_intents/${reference}/capture`, {
    method: "POST",
    headers: { authorization: "Bearer sk_test_else" },
  });
  expect(taken.status).toBe(200);
}
const about = ({ charge }: Purchase, operation: "capture" | "refund"): JsonObject => ({
  organization_id: payer,
  charge,
  operation,
  ordinal: 1,
});

type Report = readonly [name: string, tell: () => Promise<unknown>];
const orders = <T>(all: readonly T[]): T[][] =>
  all.length < 2
    ? [[...all]]
    : all.flatMap((one, at) => orders(all.toSpliced(at, 1)).map((rest) => [one, ...rest]));

/** One after the other, each to its end. */
async function inTurn(reports: readonly Report[]): Promise<void> {
  for (const [, tell] of reports) {
    await tell();
    await idle();
  }
}
const atOnce = async (reports: readonly Report[]): Promise<void> => {
  await Promise.all(reports.map(([, tell]) => tell()));
  await idle();
};

const captureReports = ({ of, id, reference }: Held): Report[] => {
  const signal = transmitter.next({ data: about(of, "capture") });
  return [
    ["billing itself", () => stage.step("capture", id, of)],
    ["a signal", () => post(signal)],
    ["the signal again", () => post(signal)],
    ["a webhook", () => stripeTells(reference, "payment_intent.succeeded")],
  ];
};

async function expectOneCapture({ of, id }: Held): Promise<void> {
  const { body } = await stage.call("GET", `/api/v1/payments/${id}`);
  expect(body).toMatchObject({ status: "captured", captured_minor: 1000 });
  expect(await countOf(of, "capture")).toBe(1);
  expect(await countOf(of, "booking")).toBe(1);
  expect(await owed(of)).toBe(941);
}

describe("W14 the same capture reported by billing itself, by a signal, by a replayed signal and by a Stripe webhook is one journal entry", () => {
  test("in every order, whoever is first", async () => {
    for (const order of orders([0, 1, 2, 3])) {
      const run = await held();
      await takenAtStripe(run.reference);
      const reports = captureReports(run);
      const [first, ...others] = order.flatMap((at) => reports.slice(at, at + 1));
      const said = order.map((at) => reports[at]?.[0]).join(", ");
      await inTurn(first === undefined ? [] : [first]);
      expect(await countOf(run.of, "capture"), `after the first of ${said}`).toBe(1);
      await inTurn(others);
      await expectOneCapture(run);
    }
    await areTrue();
  });

  test("all at once, many times over", async () => {
    const runs = await Promise.all(Array.from({ length: 12 }, held));
    await Promise.all(runs.map(({ reference }) => takenAtStripe(reference)));
    await atOnce(runs.flatMap((run) => [...captureReports(run), ...captureReports(run)]));
    for (const run of runs) await expectOneCapture(run);
    await areTrue();
  });
});

const captured = async (): Promise<Held> => {
  const run = await held();
  expect((await stage.step("capture", run.id, run.of)).body["status"]).toBe("captured");
  return run;
};

describe("W14 the same refund", () => {
  /** Billing makes it: it is the first to speak of it, or the others speak of what is not there yet. */
  const refundReports = async (run: Held, before: boolean): Promise<Report[]> => {
    const { of, id } = run;
    const signal = transmitter.next({ data: about(of, "refund") });
    const make = () => stage.step("refund", id, of, { amount_minor: 400, refund });
    const refund = newId("refund");
    if (before) await make();
    return [
      ["billing itself", make],
      ["a signal", () => post(signal)],
      ["the signal again", () => post(signal)],
      [
        "a webhook",
        async () => {
          const [made] = await stage.sandbox.refunds(run.reference);
          if (made !== undefined) await stripeTells(made.id, "refund.created", "refund.updated");
        },
      ],
    ];
  };
  const expectOneRefund = async ({ of, id }: Held): Promise<void> => {
    const { body } = await stage.call("GET", `/api/v1/payments/${id}`);
    expect(body).toMatchObject({ status: "captured", refunded_minor: 400 });
    expect(await countOf(of, "refund")).toBe(1);
    expect(await owed(of)).toBe(541);
  };

  test("in every order, and all at once, is one entry", async () => {
    for (const order of orders([0, 1, 2, 3])) {
      const run = await captured();
      const reports = await refundReports(run, false);
      await inTurn(order.flatMap((at) => reports.slice(at, at + 1)));
      await expectOneRefund(run);
    }
    const run = await captured();
    await atOnce(await refundReports(run, true));
    await expectOneRefund(run);
    await areTrue();
  });
});

describe("W14 the same dispute", () => {
  test("told by Stripe, by a signal and by it again, in every order and all at once, is set aside once", async () => {
    const tellsOf = async (run: Held): Promise<Report[]> => {
      const reference = await stage.sandbox.dispute(run.reference);
      await stripeTells(reference, "charge.dispute.created");
      await idle();
      const [row] = await stage.database.asAdmin<{ id: string }>(
        "select id from disputes where reference = $1",
        [reference],
      );
      const dispute = parseId("dispute", row?.id) ?? "";
      const data = { organization_id: run.of.payee, charge: run.of.charge };
      const subject = { format: "opaque", id: dispute };
      const signal = transmitter.next({ name: "oid4ac.dispute.opened", subject, data });
      return [
        ["a webhook", () => stripeTells(reference, "charge.dispute.created")],
        ["a signal", () => post(signal)],
        ["the signal again", () => post(signal)],
      ];
    };
    for (const order of orders([0, 1, 2])) {
      const run = await captured();
      const tells = await tellsOf(run);
      await inTurn(order.flatMap((at) => tells.slice(at, at + 1)));
      expect(await owed(run.of)).toBe(941 - 1_000 - 1_500);
    }
    const run = await captured();
    await atOnce(await tellsOf(run));
    expect((await entriesOf(run.of)).filter(({ transition }) => transition === "set_aside")).toHaveLength(1);
    expect(await owed(run.of)).toBe(941 - 1_000 - 1_500);
    await areTrue();
  });
});

describe("a signal that names another amount", () => {
  test("moves what Stripe has moved, and not a cent of its own", async () => {
    const { of, id, reference } = await held();
    const forged = { ...about(of, "capture"), amount_minor: 999_999, currency: "USD", payment: id };
    await transmitter.tell({ data: forged });
    await idle();
    expect(await entriesOf(of)).toEqual([]);
    await takenAtStripe(reference);
    await transmitter.tell({ data: forged });
    await idle();
    await expectOneCapture({ of, id, reference });
    await areTrue();
  });
});
