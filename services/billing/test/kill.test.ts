import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type Id, systemClock } from "@remit/kernel";
import {
  eventually,
  startProcess,
  switchesOf,
  type TestDatabase,
  type TestProcess,
  testDatabase,
} from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { migrations } from "../src/index.ts";
import {
  callerOf,
  fakeIssuer,
  type Issuer,
  type Purchase,
  purchaseOf,
  type Stage,
  stepsOf,
  webhookSecret,
} from "./stage.ts";

// Billing and Stripe as processes of their own. Billing dies by kill -9 at a named place; Stripe does not forget.
const mainOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const billingMain = mainOf("../src/main.ts");
const sandboxMain = mainOf("../../../packages/sandbox/src/main.ts");

let issuer: Issuer;
let database: TestDatabase;
let sandbox: TestProcess;
let sandboxOrigin = "";
let billing: TestProcess;
let address = "";
let steps: ReturnType<typeof stepsOf>;
let payer: Id<"tenant">;
const dataDir = mkdtempSync(path.join(tmpdir(), "remit-billing-kill-"));
const switches = switchesOf(() => sandboxOrigin);

const envOf = (failpoint?: string): Record<string, string> => ({
  NODE_ENV: "test",
  DATABASE_URL: database.url,
  REMIT_ORIGIN: "https://billing.remit.test",
  REMIT_ISSUER: issuer.origin,
  REMIT_PORT: "0",
  REMIT_SCHEMA: database.schema,
  REMIT_ROLE_APP: database.roles.app,
  REMIT_ROLE_RELAY: database.roles.relay,
  REMIT_ROLE_LOOKUP: database.roles.lookup,
  REMIT_DATA_DIR: dataDir,
  REMIT_OUTBOUND_ALLOW: new URL(issuer.origin).host,
  REMIT_STRIPE_ORIGIN: sandboxOrigin,
  REMIT_STRIPE_KEY: "sk_test_kill",
  REMIT_STRIPE_WEBHOOK_SECRET: webhookSecret,
  REMIT_STRIPE_TIMEOUT_MS: "2000",
  REMIT_PAYMENT_LEASE_MS: "500",
  ...(failpoint === undefined ? {} : { REMIT_FAILPOINT: failpoint }),
});

async function startBilling(failpoint?: string): Promise<void> {
  billing = await startProcess({ main: billingMain, env: envOf(failpoint), readyWhen: /"listening"/ });
  const line: { bound: string } = JSON.parse(await billing.line(/"listening"/));
  address = line.bound;
}

beforeAll(async () => {
  [issuer, database] = await Promise.all([
    fakeIssuer(),
    testDatabase({ service: "billing", sources: migrations }),
  ]);
  sandbox = await startProcess({
    main: sandboxMain,
    env: { REMIT_PORT: "0", REMIT_DATA_DIR: dataDir },
    readyWhen: /"ready":true/,
  });
  const line: { origin: string } = JSON.parse(await sandbox.line(/"ready":true/));
  sandboxOrigin = line.origin;
  const call: Stage["call"] = callerOf(issuer, () => address, systemClock);
  steps = stepsOf(issuer, systemClock, call);
  await startBilling();
  payer = await steps.payer();
  await billing.kill();
});
afterAll(async () => {
  await Promise.all([billing?.kill(), sandbox?.kill(), issuer?.close()]);
  await database?.drop();
  rmSync(dataDir, { recursive: true, force: true });
});

type Run = { readonly of: Purchase; id?: unknown };
const dead = (): undefined => undefined;
const hold = async (run: Run) => {
  run.id = (await steps.order("hold", run.of).catch(dead))?.body.id ?? run.id;
};
const capture = async (run: Run) =>
  void (await steps.step("capture", run.id, run.of, { amount_minor: 800 }).catch(dead));
const release = async (run: Run) => void (await steps.step("release", run.id, run.of).catch(dead));
const refund = async (run: Run) =>
  void (await steps.step("refund", run.id, run.of, { amount_minor: 300 }).catch(dead));

type Case = {
  readonly at: string;
  readonly story: readonly ((run: Run) => Promise<void>)[];
  readonly ends: string;
  readonly intent: string;
  readonly refunded?: number;
};

const holding = { story: [hold], ends: "authorized", intent: "requires_capture" };
const capturing = { story: [hold, capture], ends: "captured", intent: "succeeded" };
const releasing = { story: [hold, release], ends: "released", intent: "canceled" };
const refunding = { story: [hold, capture, refund], ends: "captured", intent: "succeeded", refunded: 300 };

/** Gives the merchant of a purchase an account at Stripe to which what it sells goes on. */
async function onboard({ payee, merchant }: Purchase): Promise<void> {
  const call = callerOf(issuer, () => address, systemClock);
  const owner = { scope: "offers:write", tenant: payee } as const;
  const { body } = await call("POST", "/api/v1/payout-accounts", { ...owner, body: { merchant } });
  await switches.onboard(String(body["url"]));
  await eventually(async () => {
    const of = { scope: "billing:read", tenant: payee } as const;
    const { body } = await call("GET", "/api/v1/payout-accounts", of);
    expect(body["data"]).toMatchObject([{ status: "active" }]);
  });
}

const paymentOf = async (of: Purchase): Promise<Record<string, unknown> | undefined> => {
  const call = callerOf(issuer, () => address, systemClock);
  const { body } = await call("GET", `/api/v1/payments?charge=${of.charge}`);
  return (body as { data: Record<string, unknown>[] }).data[0];
};

/** Dies at the place, starts again, and finds the payment whole: money moved once, the books agree, nobody had to ask. */
async function survives({ at, story, ends, intent, refunded = 0 }: Case): Promise<void> {
  const run: Run = { of: purchaseOf(payer) };
  await startBilling(`${at}:kill9`);
  for (const step of story) await step(run);
  expect(await billing.exited).toMatchObject({ signal: "SIGKILL" });

  await startBilling();
  await eventually(async () =>
    expect(await paymentOf(run.of)).toMatchObject({ status: ends, refunded_minor: refunded }),
  );
  const intents = await switches.paymentIntents({ charge: run.of.charge });
  expect(intents).toMatchObject([{ status: intent, amount_received: intent === "succeeded" ? 800 : 0 }]);
  expect(await steps.books()).toMatchObject({ balanced: true });
  // What the authorization server sends again after its own crash changes nothing.
  const before = await paymentOf(run.of);
  run.id = before?.["id"];
  if (ends === "captured" && refunded === 0) await capture(run);
  else if (ends === "released") await release(run);
  else await hold(run);
  expect(await paymentOf(run.of)).toEqual(before);
  await billing.kill();
}

describe("kill -9 of billing", () => {
  test("M02 before the hold is sent: the job sends it", () =>
    survives({ at: "payment.authorizing", ...holding }));
  test("M02 after the hold was sent: it is found, not made again", () =>
    survives({ at: "payment.authorizing.sent", ...holding }));
  test("M03 once authorised: the hold stands until it is captured or released", () =>
    survives({ at: "payment.authorized", ...holding }));
  test("M06 before the capture is sent: it is captured once", () =>
    survives({ at: "payment.capturing", ...capturing }));
  test("M06 after the capture was sent: it is read as captured", () =>
    survives({ at: "payment.capturing.sent", ...capturing }));
  test("M07 once captured: state and postings are both there", () =>
    survives({ at: "payment.captured", ...capturing }));
  test("M14 before the cancel is sent: it is sent", () =>
    survives({ at: "payment.releasing", ...releasing }));
  test("M14 after the cancel was sent: it is read as canceled", () =>
    survives({ at: "payment.releasing.sent", ...releasing }));
  test("M14 once released: it stays so", () => survives({ at: "payment.released", ...releasing }));
  test("M07 before a refund is sent: it is paid once", () =>
    survives({ at: "payment.refunding", ...refunding }));
  test("M07 after a refund was sent: it is posted once", () =>
    survives({ at: "payment.refunding.sent", ...refunding }));
  test("M07 once refunded: state and postings are both there", () =>
    survives({ at: "payment.refunded", ...refunding }));

  for (const at of ["refund.failing", "refund.failed"])
    test(`R04 at ${at}: a refund that has failed is taken back once, and its case is opened`, async () => {
      const run: Run = { of: purchaseOf(payer) };
      await startBilling();
      for (const step of refunding.story) await step(run);
      const { reference } = (await paymentOf(run.of)) ?? {};
      await billing.kill();
      await startBilling(`${at}:kill9`);
      await switches.addWebhook({ url: `${address}/api/v1/webhooks/stripe`, secret: webhookSecret });
      const [made] = await switches.refunds(String(reference));
      await switches.failRefund(made?.id ?? "");
      expect(await billing.exited).toMatchObject({ signal: "SIGKILL" });

      await startBilling();
      const find = (what: string) => database.asAdmin(what, [made?.id]);
      await eventually(async () =>
        expect(await find("select id from reconciliation_cases where object_id = $1")).toHaveLength(1),
      );
      expect(await paymentOf(run.of)).toMatchObject({ status: "captured", refunded_minor: 0 });
      const entries =
        "select e.id from ledger_entries e join refunds r on r.id = e.object_id where r.reference = $1";
      expect(await find(`${entries} and e.transition = 'failed'`)).toHaveLength(1);
      expect(await steps.books()).toMatchObject({ balanced: true });
      await billing.kill();
    });

  for (const at of ["transfer.sending", "transfer.sent", "transfer.recorded"])
    test(`M20 at ${at}: what goes on to a merchant's account again is one transfer, by one key, and one entry`, async () => {
      await startBilling();
      await switches.addWebhook({ url: `${address}/api/v1/webhooks/stripe`, secret: webhookSecret });
      const run: Run = { of: purchaseOf(payer) };
      await onboard(run.of);
      await hold(run);
      await capture(run);
      const { reference } = (await paymentOf(run.of)) ?? {};
      const dispute = await switches.dispute(String(reference));
      const moves = () =>
        database.asAdmin<{ id: string; way: string; state: string }>(
          "select id, way, state from transfers where charge_id = $1 order by id",
          [run.of.charge],
        );
      await eventually(async () => expect(await moves()).toMatchObject([{ way: "back", state: "sent" }]));
      await billing.kill();

      await startBilling(`${at}:kill9`);
      await switches.addWebhook({ url: `${address}/api/v1/webhooks/stripe`, secret: webhookSecret });
      await switches.decide(dispute, "won");
      expect(await billing.exited).toMatchObject({ signal: "SIGKILL" });

      await startBilling();
      await eventually(async () =>
        expect(await moves()).toMatchObject([{ state: "sent" }, { way: "on", state: "sent" }]),
      );
      const id = (await moves())[1]?.id ?? "";
      const asked = (await switches.requests("transfers.create")).filter(
        ({ idempotency_key: key }) => key?.startsWith(id) === true,
      );
      expect(new Set(asked.map(({ idempotency_key: key }) => key)).size).toBe(1);
      expect(asked.filter(({ replayed }) => !replayed)).toHaveLength(1);
      const entries = "select id from ledger_entries where object_id = $1";
      expect(await database.asAdmin(entries, [id])).toHaveLength(1);
      expect(await steps.books()).toMatchObject({ balanced: true });
      await billing.kill();
    });

  for (const at of ["payment.refunding.sent", "refund.takenback"])
    test(`M20 at ${at}: what a refund took back before it failed unbooked goes on again once`, async () => {
      await startBilling();
      await switches.addWebhook({ url: `${address}/api/v1/webhooks/stripe`, secret: webhookSecret });
      const run: Run = { of: purchaseOf(payer) };
      await onboard(run.of);
      await hold(run);
      await capture(run);
      await billing.kill();
      await startBilling(`${at}:kill9`);
      await switches.fail("refunds.create", { action: "decline", decline_code: "expired_or_canceled_card" });
      await refund(run);
      expect(await billing.exited).toMatchObject({ signal: "SIGKILL" });

      await startBilling();
      const moves = () =>
        database.asAdmin(
          "select way, state, amount_minor::integer as units from transfers where charge_id = $1",
          [run.of.charge],
        );
      await eventually(async () => expect(await moves()).toEqual([{ way: "on", state: "sent", units: 300 }]));
      expect(await paymentOf(run.of)).toMatchObject({ status: "captured", refunded_minor: 0 });
      const owed = "select balance::integer as balance from ledger_accounts where tenant_id = $1";
      expect(await database.asAdmin(owed, [run.of.payee])).toEqual([{ balance: 0 }]);
      expect(await steps.books()).toMatchObject({ balanced: true });
      await billing.kill();
    });

  test("M07 what was posted during all this is each capture and each refund once", async () => {
    const rows = await database.asAdmin<{ kind: string; count: string }>(
      "select kind, count(*) from ledger_entries where kind in ('capture', 'refund') group by kind order by kind",
    );
    const captures = (await switches.paymentIntents({ status: "succeeded" })).length;
    expect(rows).toEqual([
      { kind: "capture", count: String(captures) },
      // Three that were killed at, and two that failed since: made and taken back.
      { kind: "refund", count: "7" },
    ]);
  });

  test("SIGTERM while a hold is running: it is answered, then the process ends", async () => {
    await startBilling();
    await switches.fail("payment_intents.confirm", { action: "delay_ms", delay_ms: 300 });
    const of = purchaseOf(payer);
    const answered = steps.order("hold", of);
    await eventually(async () => (await switches.paymentIntents({ charge: of.charge })).length === 1);
    const ended = billing.kill("SIGTERM");
    expect((await answered).body).toMatchObject({ status: "authorized" });
    expect(await ended).toMatchObject({ code: 0 });
  });

  test("a failpoint outside NODE_ENV=test is refused at the start", async () => {
    const env = { ...envOf("payment.captured:kill9"), NODE_ENV: "production" };
    await expect(startProcess({ main: billingMain, env, readyWhen: /"listening"/ })).rejects.toThrow(
      /failpoint/,
    );
  });
});
