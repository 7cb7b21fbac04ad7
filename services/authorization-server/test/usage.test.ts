import { type Id, newId, parseId, systemClock, toRfc3339 } from "@remit/kernel";
import { createLog } from "@remit/platform/telemetry";
import { Problem } from "@remit/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAllowances } from "../src/plans/index.ts";
import { trimUsage } from "../src/usage/metering.sql.ts";
import { type Answer, callAsAdmin, newClient, type OAuthClient } from "./client.ts";
import { anotherTenant } from "./fleet.ts";
import { Management } from "./management.ts";
import { type Running, startServer } from "./running.ts";

let running: Running;
let agents: readonly OAuthClient[];
let eve: Awaited<ReturnType<typeof anotherTenant>>;
let manager: Management;

beforeAll(async () => {
  running = await startServer();
  eve = await anotherTenant(running);
  manager = new Management(running);
  agents = [await newClient(running, "agent"), await newClient(running, "agent")];
});
afterAll(() => running.close());

const get = (path: string, at: Parameters<typeof callAsAdmin>[0] = running): Promise<Answer> =>
  callAsAdmin(at, { method: "GET", path: `/api/v1/analytics/${path}` });

type Cell = { readonly count: number };
const dataOf = ({ body }: Answer): readonly Cell[] => body["data"] as readonly Cell[]; // every list here is one of these
const sumOf = (answer: Answer): number => dataOf(answer).reduce((sum, { count }) => sum + count, 0);

/** What the events say that were written with the tokens. */
const issued = async (tenant: string): Promise<number> =>
  Number(
    (
      await running.database.asAdmin<{ n: string }>(
        `select coalesce(sum(case when jsonb_typeof(payload->'jti') = 'array' then jsonb_array_length(payload->'jti')
          else 1 end), 0) as n from outbox where type = 'token.issued' and tenant_id = $1`,
        [tenant],
      )
    )[0]?.n,
  );

const inZone = async (zone: string): Promise<void> => {
  const answer = await manager.call("PUT", "/api/v1/analytics/time-zone", { timeZone: zone });
  expect(answer.status).toBe(200);
};

describe("what agents used", () => {
  test.each([["tokens"], ["token-trend"]])(
    "%s shows each day, and each token that was issued",
    async (name) => {
      await agents[0]?.credentials({ resource: running.issuer, scope: "oid4ac:payment" });
      // The token of whoever asks is issued before the answer is.
      const answer = await get(`${name}?days=7`);
      expect(answer.body).toMatchObject({
        tenantId: running.tenant,
        organizationId: running.tenant,
        days: 7,
        timeZone: "UTC",
      });
      expect(dataOf(answer)).toHaveLength(7);
      expect(sumOf(answer)).toBe(await issued(running.tenant));
      expect(dataOf(answer).at(-1)).toMatchObject({ date: toRfc3339(systemClock.now()).slice(0, 10) });
      expect((await get(name)).body["days"]).toBe(30);
    },
  );

  test.each(["days=91", "days=0", "days=1.5", "days=x", "days=", "from=2026-01-01"])(
    "%s is refused",
    async (query) => {
      const answer = await get(`tokens?${query}`);
      expect([answer.status, answer.body["code"]]).toEqual([400, "invalid_request"]);
    },
  );

  test.each([["agents/activity"], ["agent-activity"]])("%s shows each hour of the week", async (name) => {
    const answer = await get(name);
    expect(dataOf(answer)).toHaveLength(7 * 24);
    expect(new Set(dataOf(answer).map((cell) => JSON.stringify({ ...cell, count: 0 }))).size).toBe(7 * 24);
    expect(sumOf(answer)).toBe(await issued(running.tenant));
  });

  test.each([["agents"], ["usage-summary"]])("%s shows who used most this month", async (name) => {
    const [one, two] = agents;
    for (let i = 0; i < 2; i++) await one?.credentials({ resource: running.issuer, scope: "oid4ac:payment" });
    await two?.credentials({ resource: running.issuer, scope: "oid4ac:payment" });
    const { body } = await get(name);
    expect(body).toMatchObject({ month: toRfc3339(systemClock.now()).slice(0, 7) });
    expect(body["data"]).toMatchObject([
      { agentId: one?.id, status: "active", tokens: expect.any(Number) },
      { agentId: two?.id },
    ]);
    expect((await get(`${name}?month=2020-02`)).body["data"]).toEqual([]);
    expect((await get(`${name}?month=2020-13`)).body["code"]).toBe("invalid_request");
  });

  test("T01 another organization sees nothing of it", async () => {
    const trend = await get("tokens", eve);
    expect(trend.body["tenantId"]).toBe(eve.tenant);
    expect(sumOf(trend)).toBe(await issued(eve.tenant));
    expect((await get("agents", eve)).body["data"]).toEqual([]);
  });
});

describe("days and hours are those of the organization's time zone", () => {
  const at = (quarters: Readonly<Record<string, number>>): Promise<unknown> =>
    Promise.all(
      Object.entries(quarters).map(([quarter, tokens]) =>
        running.database.asAdmin(
          `insert into usage_quarters (tenant_id, quarter, tokens) values ($1, $2, $3)
            on conflict (tenant_id, quarter) do update set tokens = excluded.tokens`,
          [running.tenant, quarter, tokens],
        ),
      ),
    );
  const on = async (date: string): Promise<number | undefined> =>
    (dataOf(await get("tokens?days=90")) as readonly (Cell & { date: string })[]).find(
      (day) => day.date === date,
    )?.count;

  test("also on the day that has 25 hours, and in a zone of half hours", async () => {
    await at({
      "2026-10-24T21:45Z": 1,
      "2026-10-24T22:00Z": 10,
      "2026-10-25T22:45Z": 100,
      "2026-10-25T23:00Z": 1_000,
    });
    await inZone("Europe/Berlin");
    expect(await Promise.all(["2026-10-24", "2026-10-25", "2026-10-26"].map(on))).toEqual([1, 110, 1_000]);
    await inZone("Asia/Kolkata");
    await at({ "2026-10-20T18:15Z": 3, "2026-10-20T18:30Z": 5 });
    expect(await Promise.all(["2026-10-20", "2026-10-21"].map(on))).toEqual([3, 5]);
    await inZone("UTC");
  });

  test.each(["Mars/Olympus", "UTC'; drop table tenants", "", "posix/../etc"])(
    "%j is no zone",
    async (timeZone) => {
      const answer = await manager.call("PUT", "/api/v1/analytics/time-zone", { timeZone });
      expect([answer.status, answer.body["code"]]).toEqual([400, "invalid_request"]);
    },
  );
});

test("D01 what is read again after a reader died is counted once", async () => {
  const before = sumOf(await get("tokens"));
  const shownNow = await issued(running.tenant);
  await running.database.asAdmin("update outbox_cursors set xid = '0', seq = 0 where consumer = 'usage'");
  const after = sumOf(await get("tokens"));
  // One more: the token of whoever asks.
  expect(after - before).toBe((await issued(running.tenant)) - shownNow);
});

test("what was used longer ago than anybody looks is forgotten, in windows, and nothing else", async () => {
  const { tenant, database } = running;
  const put = (age: string): Promise<unknown> =>
    database.asAdmin(
      `insert into usage_quarters (tenant_id, quarter, tokens)
        select $1, date_bin('15 minutes', now() - $2::interval, 'epoch') - n * interval '15 min', 1
        from generate_series(1, 3) n`,
      [tenant, age],
    );
  await put("399 days");
  await put("401 days");
  await database.asAdmin(
    `insert into usage_agents (tenant_id, day, agent_id, tokens, last_at)
      select $1, (now() - n * interval '200 days')::date, 'agt_old', 1, now() from generate_series(1, 3) n`,
    [tenant],
  );
  const db = database.open();
  const trim = () => db.relay.transaction((tx) => trimUsage(tx, 2));
  expect([await trim(), await trim(), await trim()]).toEqual([3, 1, 0]);
  const [left] = await database.asAdmin<{ quarters: string; agents: string }>(
    `select (select count(*) from usage_quarters where quarter < now() - interval '300 days') as quarters,
      (select count(*) from usage_agents where agent_id = 'agt_old') as agents`,
  );
  expect(left).toEqual({ quarters: "3", agents: "2" });
  await database.asAdmin("delete from usage_agents where agent_id = 'agt_old'");
});

test("what died with a process comes back once all that was issued is counted", async () => {
  const [tenant] = [newId("tenant")];
  const most = 1_024;
  const asAdmin = (text: string, values: readonly unknown[] = []): Promise<unknown> =>
    running.database.asAdmin(text, values);
  await asAdmin(
    "insert into plans (tenant_id, tier, version, max_tokens_per_day, changed_at) values ($1, 'pro', 1, $2, now())",
    [tenant, most],
  );
  const db = running.database.open();
  const log = createLog({ service: "test", level: "silent" });
  const aProcess = () => createAllowances({ db, clock: systemClock, log });
  const drain = async (): Promise<number> => {
    const one = aProcess();
    for (let got = 0; ; got++) {
      try {
        await one.take("token", tenant);
      } catch (error) {
        if (error instanceof Problem && error.code === "plan_limit_reached") return got;
        throw error;
      }
    }
  };
  // Three slices that nobody gives back.
  for (let i = 0; i < 3; i++) await aProcess().take("token", tenant);
  const got = await drain();
  expect(got).toBeGreaterThanOrEqual(most * 0.99);
  expect(got).toBeLessThan(most - 3);
  // While they may still be used they count.
  expect(await drain()).toBe(0);
  const quarter = "to_timestamp(floor(extract(epoch from now()) / 900) * 900)";
  await asAdmin(`insert into usage_quarters (tenant_id, quarter, tokens) values ($1, ${quarter}, $2)`, [
    tenant,
    got + 3,
  ]);
  await asAdmin(
    "update plan_allowances set tokens_given_at = now() - interval '1 minute' where tenant_id = $1",
    [tenant],
  );
  await asAdmin("update usage_metered set caught_up_at = now() - interval '2 minutes'");
  expect(await drain()).toBe(0);
  await asAdmin("update usage_metered set caught_up_at = now()");
  expect(await drain()).toBe(most - got - 3);
});

test("T03 as the application's role, use of no tenant is shown without one", async () => {
  const db = running.database.open();
  const { sql } = await import("@remit/platform/sql");
  expect(await db.single.many(sql`select from usage_quarters`)).toEqual([]);
  const other = parseId("tenant", eve.tenant) as Id<"tenant">; // what the bootstrap made
  await expect(
    db
      .of(other)
      .transaction((tx) =>
        tx.run(sql`insert into usage_quarters (tenant_id, quarter) values (${running.tenant}, now())`),
      ),
  ).rejects.toThrow();
});
