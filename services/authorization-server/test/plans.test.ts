import { migrations } from "@remit/authorization-server";
import { dayMs, type Id, newId, parseId, secondMs } from "@remit/kernel";
import { recordToOutbox } from "@remit/platform/outbox";
import type { Database } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import {
  newEvent,
  type PlanLimits,
  type PlanTier,
  Problem,
  planPayload,
  planSchedule,
} from "@remit/protocol";
import { eventually, type TestClock, testClock, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Allowances, applyPlan, type Billed, createAllowances, tellEnded } from "../src/plans/index.ts";
import { type Answer, adminToken, callAsAdmin, read } from "./client.ts";
import { agentBody, anotherTenant, createAgent } from "./fleet.ts";
import { Management } from "./management.ts";
import { adminSecret, type Running, startServer } from "./running.ts";

const log = createLog({ service: "test", level: "silent" });
const unlimited = planSchedule.enterprise;

let running: Running;
let db: Database;
let clock: TestClock;
beforeAll(async () => {
  running = await startServer({ tierEnforcement: true });
  db = running.database.open();
});
afterAll(() => running.close());

/** As billing reports it. */
async function plan(
  tenant: Id<"tenant">,
  limits: Partial<PlanLimits>,
  { version = 1, tier = "enterprise" }: { readonly version?: number; readonly tier?: PlanTier } = {},
): Promise<void> {
  const payload = planPayload({ tier, version, limits: { ...unlimited, ...limits } });
  const actor = { type: "system", id: "billing" } as const;
  const event = newEvent("plan.changed", { tenant, actor, subject: tenant, payload }, testClock().now());
  await db.of(tenant).transaction((tx) => applyPlan(tx, event));
}

const tenantOf = (text: string): Id<"tenant"> => {
  const tenant = parseId("tenant", text);
  if (tenant === undefined) throw new TypeError(text);
  return tenant;
};

/** A process's view of the allowances, at a time that stands still until it is told to move. */
const aProcess = (): Allowances => createAllowances({ db, clock, log });

const noon = (): TestClock => {
  const now = testClock();
  now.advance(dayMs - (now.now() % dayMs) + dayMs / 2);
  return now;
};

/** Takes until it is refused; how many it got, and why no more. */
async function drain(
  allowances: Allowances,
  tenant: Id<"tenant">,
  kind: "token" | "call" = "token",
): Promise<{ got: number; refused: Problem }> {
  for (let got = 0; ; got++) {
    try {
      await allowances.take(kind, tenant);
    } catch (error) {
      if (error instanceof Problem) return { got, refused: error };
      throw error;
    }
  }
}

/** How many of so many it gets; whatever refuses one is an error of the test. */
async function taken(allowances: Allowances, tenant: Id<"tenant">, most: number): Promise<number> {
  let got = 0;
  for (; got < most; got++) await allowances.take("token", tenant);
  return got;
}

describe("an allowance that processes share", () => {
  beforeAll(() => {
    clock = noon();
  });

  test.each([40, 5_000])("C13 three processes give exactly the %i of a day, and never more", async (most) => {
    const tenant = newId("tenant");
    await plan(tenant, { maxTokensPerDay: most });
    const processes = [aProcess(), aProcess(), aProcess()];
    const got = await Promise.all(processes.map(async (one) => (await drain(one, tenant)).got));
    const first = got.reduce((a, b) => a + b, 0);
    expect(first).toBeLessThanOrEqual(most);
    expect(first).toBeGreaterThanOrEqual(Math.floor(most * 0.99));
    // What was held unused comes back, and not one more than the limit is given.
    await Promise.all(processes.map((one) => one.giveBack(true)));
    const last = await drain(aProcess(), tenant);
    expect(first + last.got).toBe(most);
    expect(last.refused).toMatchObject({
      code: "plan_limit_reached",
      status: 429,
      extra: { limit: "tokens_day", most, legacy_code: "FREE_TIER_LIMIT_EXCEEDED" },
      headers: {
        "Retry-After": String(dayMs / 2 / secondMs),
        "X-RateLimit-Limit": String(most),
        "X-RateLimit-Remaining": "0",
        "RateLimit-Policy": `"plan-tokens-day";q=${most};w=86400`,
      },
    });
  });

  test("C13 processes that each hold a slice idle keep the others within 1 % of the limit", async () => {
    const tenant = newId("tenant");
    const most = 1_100;
    await plan(tenant, { maxTokensPerDay: most });
    const [one, two, three] = [aProcess(), aProcess(), aProcess()];
    await Promise.all([one.take("token", tenant), two.take("token", tenant)]);
    const { got } = await drain(three, tenant);
    expect(got + 2).toBeGreaterThanOrEqual(most * 0.99);
    expect(got + 2).toBeLessThanOrEqual(most);
  });

  test("what a day used up comes back at midnight UTC, and the month's goes on", async () => {
    const tenant = newId("tenant");
    await plan(tenant, { maxTokensPerDay: 3, maxTokensPerMonth: 5 });
    clock = noon();
    const before = aProcess();
    // A day in the middle of a month, so that the next is in the same.
    while (new Date(clock.now()).getUTCDate() > 20) clock.advance(dayMs);
    expect((await drain(before, tenant)).got).toBe(3);
    clock.advance(dayMs);
    const next = await drain(before, tenant);
    expect(next.got).toBe(2);
    expect(next.refused.extra).toMatchObject({ limit: "tokens_month", most: 5 });
    expect(Number(next.refused.headers?.["Retry-After"])).toBeGreaterThan(dayMs / secondMs);
  });

  test("a minute's requests are shared by calls and tokens", async () => {
    const tenant = newId("tenant");
    await plan(tenant, { maxRequestsPerMinute: 10 });
    const one = aProcess();
    for (let i = 0; i < 6; i++) await one.take("call", tenant);
    const { got, refused } = await drain(one, tenant);
    expect(got).toBe(4);
    expect(refused.extra).toMatchObject({ limit: "requests_minute" });
    expect(Number(refused.headers?.["Retry-After"])).toBeLessThanOrEqual(60);
    clock.advance(60 * secondMs);
    expect(await taken(one, tenant, 3)).toBe(3);
  });

  test("T09 one organization's use is nothing to another's, and the platform has no limit", async () => {
    const [one, other] = [newId("tenant"), newId("tenant")];
    await plan(one, { maxTokensPerDay: 2 });
    await plan(other, { maxTokensPerDay: 2 });
    const allowances = aProcess();
    expect((await drain(allowances, one)).got).toBe(2);
    expect(await taken(allowances, other, 2)).toBe(2);
    const platform = tenantOf("org_00000000000000000000000000");
    expect(await taken(allowances, platform, 2_000)).toBe(2_000);
  });

  /** Organizations one above the other, as `POST /api/v1/organizations` leaves them. */
  async function tree(...made: readonly (readonly [Id<"tenant">, Id<"tenant"> | null])[]): Promise<void> {
    for (const [tenant, by] of made)
      await running.database.asAdmin(
        "insert into tenant_standings (tenant_id, made_by, created_at, changed_at) values ($1, $2, now(), now())",
        [tenant, by],
      );
  }

  test("C13 organizations without a plan of their own share their maker's: together exactly its limit", async () => {
    const [top, one, two, below] = [newId("tenant"), newId("tenant"), newId("tenant"), newId("tenant")];
    await tree([top, tenantOf("org_00000000000000000000000000")], [one, top], [two, top], [below, one]);
    const most = 2_000;
    await plan(top, { maxTokensPerDay: most });
    // One that ended is none.
    await plan(two, { maxTokensPerDay: 500 }, { tier: "free" });
    const processes = [aProcess(), aProcess(), aProcess()];
    const got = await Promise.all(
      processes.flatMap((each) =>
        [top, one, two, below].map(async (tenant) => (await drain(each, tenant)).got),
      ),
    );
    const first = got.reduce((a, b) => a + b, 0);
    expect(first).toBeLessThanOrEqual(most);
    expect(first).toBeGreaterThanOrEqual(Math.floor(most * 0.99));
    await Promise.all(processes.map((each) => each.giveBack(true)));
    const last = await drain(aProcess(), below);
    expect(first + last.got).toBe(most);
    expect(last.refused.extra).toMatchObject({ limit: "tokens_day", most });
  });

  test("C13 what an organization pays for itself is its own, and its makers' is not touched", async () => {
    const [top, one, below] = [newId("tenant"), newId("tenant"), newId("tenant")];
    await tree([top, null], [one, top], [below, one]);
    await plan(top, { maxTokensPerDay: 5 });
    await plan(one, { maxTokensPerDay: 7 });
    const allowances = aProcess();
    expect((await drain(allowances, below)).got).toBe(7);
    expect((await drain(aProcess(), one)).got).toBe(0);
    expect((await drain(allowances, top)).got).toBe(5);
    // It ends: what is below uses what is above, which is used up.
    await plan(one, { maxTokensPerDay: 500 }, { tier: "free", version: 2 });
    clock.advance(secondMs);
    expect((await drain(aProcess(), below)).got).toBe(0);
  });

  test("a plan that is told again, or late, changes nothing; a later one counts at once", async () => {
    const tenant = newId("tenant");
    await plan(tenant, { maxTokensPerDay: 1 }, { version: 2 });
    await plan(tenant, { maxTokensPerDay: 500 }, { version: 1 });
    await plan(tenant, { maxTokensPerDay: 500 }, { version: 2 });
    const allowances = aProcess();
    expect((await drain(allowances, tenant)).got).toBe(1);
    await plan(tenant, { maxTokensPerDay: 3 }, { version: 3 });
    clock.advance(secondMs);
    expect((await drain(allowances, tenant)).got).toBe(2);
  });
});

test("an organization that ended, or does not act, is paid for no longer; what billing did not hear is told again", async () => {
  const database = await testDatabase({ service: "authorization_server", sources: migrations });
  const own = database.open({ record: recordToOutbox });
  const [one, other] = [newId("tenant"), newId("tenant")];
  const happened = (tenant: Id<"tenant">, type: `tenant.${"deleted" | "erased" | "suspended" | "resumed"}`) =>
    own.of(tenant).transaction((tx) => {
      const actor = { type: "system", id: "test" } as const;
      return tx.record(newEvent(type, { tenant, actor, subject: tenant }, testClock().now()));
    });
  await happened(one, "tenant.suspended");
  await happened(one, "tenant.resumed");
  await happened(one, "tenant.deleted");
  await happened(other, "tenant.erased");
  const ended: string[] = [];
  let away = true;
  const end: Billed["end"] = async (tenant, when, because = "asked") => {
    if (away) throw new Problem("unavailable");
    ended.push(`${tenant} ${when} ${because}`);
    return { tier: "free", endsAt: null };
  };
  const goOn: Billed["goOn"] = async (tenant) => void ended.push(`${tenant} goes on`);
  const forgetPayer: Billed["forgetPayer"] = async (tenant) => void ended.push(`${tenant} has no card`);
  const billed = { end, goOn, forgetPayer };
  // What was recorded is read once no transaction of anybody is older.
  await eventually(() => expect(tellEnded({ db: own, billed })).rejects.toThrow("unavailable"));
  away = false;
  await eventually(async () => {
    await tellEnded({ db: own, billed });
    expect(ended).toEqual([
      `${one} period organization`,
      `${one} goes on`,
      `${one} period organization`,
      `${other} now asked`,
      `${other} has no card`,
    ]);
  });
  await database.drop();
});

describe("over HTTP", () => {
  test("C13 of N + 50 registrations at once, exactly the N of the free plan", async () => {
    const eve = await anotherTenant(running);
    const token = String((await adminToken(eve)).body["access_token"]);
    const create = async (): Promise<Answer> =>
      read(
        await fetch(`${eve.issuer}/api/v1/agents`, {
          method: "POST",
          headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
          body: JSON.stringify(agentBody()),
        }),
      );
    const most = planSchedule.free.maxAgents ?? 0;
    const answers = await Promise.all(Array.from({ length: most + 50 }, create));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(most);
    const refused = answers.filter(({ status }) => status === 403);
    expect(refused).toHaveLength(50);
    expect(refused[0]?.body).toMatchObject({
      code: "agent_limit_reached",
      legacy_code: "FREE_TIER_LIMIT_EXCEEDED",
    });
    await plan(tenantOf(eve.tenant), { maxAgents: most + 1 });
    const next = await Promise.all([create(), create(), create()]);
    expect(next.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 403, 403]);
  });

  test("C13 agents of children count against the plan that they use, and against one of their own alone", async () => {
    const top = { ...running, adminSecret };
    const manager = new Management(top, adminSecret);
    let made = 0;
    const child = async (): Promise<typeof top> => {
      const body = { name: "Child", slug: `child-${++made}` };
      const { body: told } = await manager.call("POST", "/api/v1/organizations", body);
      const admin = told["admin"] as { clientId: string; clientSecret: string }; // of a new organization
      const tenant = String(told["organizationId"]);
      return { ...top, tenant, adminId: admin.clientId, adminSecret: admin.clientSecret };
    };
    const [one, two] = [await child(), await child()];
    const agentsOf = async ({ tenant }: typeof top): Promise<number> => {
      const [row] = await running.database.asAdmin<{ count: string }>(
        "select count(*) from agent_standings where tenant_id = $1",
        [tenant],
      );
      return Number(row?.count);
    };
    await plan(tenantOf(top.tenant), { maxAgents: (await agentsOf(top)) + 3 }, { version: 2 });
    const answers = await Promise.all([one, two, top, two, one, two, top].map((at) => createAgent(at)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3);
    expect(answers.filter(({ body }) => body["code"] === "agent_limit_reached")).toHaveLength(4);
    await plan(tenantOf(one.tenant), { maxAgents: 5 });
    await Promise.all(Array.from({ length: 8 }, () => createAgent(one)));
    expect(await agentsOf(one)).toBe(5);
    await plan(tenantOf(top.tenant), {}, { version: 3 });
  });

  test("tokens beyond the day's are refused until midnight UTC, in front of the core and in it", async () => {
    // Of the two, the one is used up by the test before.
    const other = await anotherTenant(running);
    await plan(tenantOf(other.tenant), { maxTokensPerDay: 2 }, { version: 9 });
    const first = await adminToken(other);
    expect([first.status, first.headers.get("ratelimit-policy")]).toEqual([
      200,
      expect.stringContaining('"plan-tokens-day";q=2;w=86400'),
    ]);
    // A parameter that only the core understands.
    for (const form of [{}, { resource: other.issuer, audience: "x" }]) {
      const refused = await adminToken(other, form);
      expect(refused.status).toBe(429);
      expect(refused.body).toMatchObject({
        error: "temporarily_unavailable",
        code: "plan_limit_reached",
        error_description: "The plan allows 2 access tokens a day.",
      });
      expect(Number(refused.headers.get("retry-after"))).toBeLessThanOrEqual(dayMs / secondMs);
    }
  });

  test("calls beyond the day's are refused with what the plan allows; what moves money is not counted", async () => {
    const tenant = tenantOf(running.tenant);
    expect((await createAgent(running)).status).toBe(201);
    await plan(tenant, { maxCallsPerDay: 0 }, { version: 9 });
    // A slice that this process still holds is used up first.
    let last = await callAsAdmin(running, { method: "GET", path: "/api/v1/agents" });
    for (let i = 0; i < 300 && last.status === 200; i++)
      last = await callAsAdmin(running, { method: "GET", path: "/api/v1/agents" });
    expect(last.status).toBe(429);
    expect(last.body).toMatchObject({
      code: "plan_limit_reached",
      limit: "calls_day",
      legacy_code: "FREE_TIER_LIMIT_EXCEEDED",
      remedy: expect.stringContaining("/api/v1/tiers/upgrade"),
    });
    expect(last.headers.get("x-ratelimit-remaining")).toBe("0");
    expect((await callAsAdmin(running, { method: "GET", path: "/openapi.json" })).status).toBe(200);
  });
});
