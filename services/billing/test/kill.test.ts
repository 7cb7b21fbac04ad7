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
  REMIT_STRIPE_TIMEOUT_MS: "2000",
  REMIT_PAYMENT_LEASE_MS: "500",
  ...(failpoint === undefined ? {} : { REMIT_FAILPOINT: failpoint }),
});

async function startBilling(failpoint?: string): Promise<void> {
  billing = await startProcess({ main: billingMain, env: envOf(failpoint), readyWhen: /billing listens/ });
  const line: { bound: string } = JSON.parse(await billing.line(/billing listens/));
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

const cases = [
  { fault: "M02", at: "payment.authorizing", story: [hold], ends: "authorized", intent: "requires_capture" },
  {
    fault: "M02",
    at: "payment.authorizing.sent",
    story: [hold],
    ends: "authorized",
    intent: "requires_capture",
  },
  { fault: "M03", at: "payment.authorized", story: [hold], ends: "authorized", intent: "requires_capture" },
  { fault: "M06", at: "payment.capturing", story: [hold, capture], ends: "captured", intent: "succeeded" },
  {
    fault: "M06",
    at: "payment.capturing.sent",
    story: [hold, capture],
    ends: "captured",
    intent: "succeeded",
  },
  { fault: "M07", at: "payment.captured", story: [hold, capture], ends: "captured", intent: "succeeded" },
  { fault: "M14", at: "payment.releasing", story: [hold, release], ends: "released", intent: "canceled" },
  {
    fault: "M14",
    at: "payment.releasing.sent",
    story: [hold, release],
    ends: "released",
    intent: "canceled",
  },
  { fault: "M14", at: "payment.released", story: [hold, release], ends: "released", intent: "canceled" },
  {
    fault: "M07",
    at: "payment.refunding",
    story: [hold, capture, refund],
    ends: "captured",
    intent: "succeeded",
    refunded: 300,
  },
  {
    fault: "M07",
    at: "payment.refunding.sent",
    story: [hold, capture, refund],
    ends: "captured",
    intent: "succeeded",
    refunded: 300,
  },
  {
    fault: "M07",
    at: "payment.refunded",
    story: [hold, capture, refund],
    ends: "captured",
    intent: "succeeded",
    refunded: 300,
  },
];

const paymentOf = async (of: Purchase): Promise<Record<string, unknown> | undefined> => {
  const call = callerOf(issuer, () => address, systemClock);
  const { body } = await call("GET", `/api/v1/payments?charge=${of.charge}`);
  return (body as { data: Record<string, unknown>[] }).data[0];
};

describe("kill -9 of billing", () => {
  test.each(cases)(
    "$fault at $at: money moves once, the books agree, nobody has to ask",
    async ({ at, story, ends, intent, refunded = 0 }) => {
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
      run.id = before?.id;
      if (ends === "captured" && refunded === 0) await capture(run);
      else if (ends === "released") await release(run);
      else await hold(run);
      expect(await paymentOf(run.of)).toEqual(before);
      await billing.kill();
    },
  );

  test("M07 what was posted during all this is each capture and each refund once", async () => {
    const rows = await database.asAdmin<{ kind: string; count: string }>(
      "select kind, count(*) from ledger_entries where kind in ('capture', 'refund') group by kind order by kind",
    );
    const captures = (await switches.paymentIntents({ status: "succeeded" })).length;
    expect(rows).toEqual([
      { kind: "capture", count: String(captures) },
      { kind: "refund", count: "3" },
    ]);
  });

  test("a failpoint outside NODE_ENV=test is refused at the start", async () => {
    const env = { ...envOf("payment.captured:kill9"), NODE_ENV: "production" };
    await expect(startProcess({ main: billingMain, env, readyWhen: /billing listens/ })).rejects.toThrow(
      /failpoint/,
    );
  });
});
