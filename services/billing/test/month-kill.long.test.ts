import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import {
  after,
  assetOf,
  dayMs,
  type Id,
  instantOf,
  invariant,
  money,
  newId,
  systemClock,
} from "@remit/kernel";
import { platformTenant } from "@remit/platform/http";
import { eventually, startProcess, type TestDatabase, type TestProcess, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { migrations } from "../src/index.ts";
import { boundsOf, captureEntry, monthOf, post } from "../src/ledger/index.ts";
import { callerOf, fakeIssuer, type Issuer, type Stage } from "./stage.ts";

// Billing as a process that dies by kill -9 at each step of a month's close. No Stripe is needed: the month is in the books.
const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
let issuer: Issuer;
let database: TestDatabase;
let billing: TestProcess;
let address = "";
let call: Stage["call"];
const dataDir = mkdtempSync(path.join(tmpdir(), "remit-month-kill-"));

async function startBilling(failpoint?: string): Promise<void> {
  billing = await startProcess({
    main,
    env: {
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
      REMIT_STRIPE_ORIGIN: "http://127.0.0.1:9",
      REMIT_STRIPE_KEY: "sk_test_none",
      ...(failpoint === undefined ? {} : { REMIT_FAILPOINT: failpoint }),
    },
    readyWhen: /"listening"/,
  });
  const line: { bound: string } = JSON.parse(await billing.line(/"listening"/));
  address = line.bound;
}

beforeAll(async () => {
  [issuer, database] = await Promise.all([
    fakeIssuer(),
    testDatabase({ service: "billing", sources: migrations }),
  ]);
  call = callerOf(issuer, () => address, systemClock);
});
afterAll(async () => {
  await Promise.all([billing?.kill(), issuer?.close()]);
  await database?.drop();
  rmSync(dataDir, { recursive: true, force: true });
});

const thisMonth = boundsOf(monthOf(systemClock.now()));
const month = monthOf(instantOf(thisMonth.from - dayMs));
const usd = assetOf("USD");
invariant(usd !== undefined, "the dollar is an asset");
const dollars = (units: bigint) => money(usd, units);

/** So many captures of each of three merchants, in the month that is over. */
async function fill(count: number): Promise<Id<"tenant">[]> {
  const db = database.open();
  const owners = [1, 2, 3].map(() => ({ tenant: newId("tenant"), merchant: newId("merchant") }));
  const terms = { schedule: `fsc_${"1".padStart(26, "0")}`, fromVolume: 0n, collection: "invoiced" } as const;
  for (const owner of owners)
    for (let n = 0; n < count; n++) {
      const at = after(boundsOf(month).from, dayMs + n);
      const paid = { charge: newId("charge"), payment: newId("payment"), owner, at, rail: "card" };
      const entry = captureEntry({ ...paid, captured: dollars(1000n), fee: dollars(59n), terms });
      await db.global.transaction((tx) => post(tx, [entry]));
    }
  return owners.map(({ tenant }) => tenant);
}

const close = () =>
  call("POST", `/api/v1/months/${month}/close`, { scope: "billing:write", tenant: platformTenant }).catch(
    () => undefined,
  );

describe("kill -9 while a month is closed", () => {
  test("M19 at every step in turn: the same invoices with the same numbers, each once, and the books agree", async () => {
    const tenants = await fill(4);
    for (const at of ["month.closed", "month.summed", "month.invoicing"]) {
      await startBilling(`${at}:kill9`);
      await close();
      expect(await billing.exited, at).toMatchObject({ signal: "SIGKILL" });
    }
    // What the third run had written stays as it was written.
    const invoices = () =>
      database.asAdmin<{ id: string; tenant_id: string; number: number; net: string }>(
        "select id, tenant_id, number, net from invoices order by number",
      );
    const before = await invoices();
    expect(before.length).toBe(1);
    await startBilling();
    await close();
    await eventually(async () => {
      const { body } = await call("GET", "/api/v1/months", { scope: "billing:read", tenant: platformTenant });
      expect(JSON.stringify(body)).toContain('"invoiced"');
    });
    const made = await invoices();
    expect(made.slice(0, 1)).toEqual(before);
    expect(made.map(({ number }) => number)).toEqual([1, 2, 3]);
    expect(made.map(({ tenant_id }) => tenant_id).toSorted()).toEqual(tenants.toSorted());
    expect(made.map(({ net }) => net)).toEqual(["236", "236", "236"]);
    await close();
    expect(await invoices()).toEqual(made);
    const check = await call("GET", "/api/v1/ledger/check", { scope: "audit:read" });
    expect(check.body).toMatchObject({ balanced: true });
  });
});
