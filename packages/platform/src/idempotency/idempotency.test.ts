import { hourMs, newId } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { jumpTime, type TestDatabase, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newTenant, purseIds, purseMigrations } from "../../test/purses.ts";
import { type Database, sql, type TenantSql, type TenantTx } from "../sql/index.ts";
import { type IdempotencyRequest, idempotent, type Keep, sweepIdempotencyKeys } from "./index.ts";

let made: TestDatabase;
let db: Database;
beforeAll(async () => {
  made = await testDatabase({ service: "purses", sources: [purseMigrations] });
  db = made.open({ poolMax: 20 });
});
afterAll(() => made?.drop());

const request = (over: Partial<IdempotencyRequest> = {}): IdempotencyRequest => ({
  client: "cli_1",
  route: "POST /purses",
  key: newId("request"),
  bodyDigest: "digest of the body",
  ...over,
});

type Answer = { readonly status: number; readonly id: string };

/** Makes a purse and keeps the answer with it. */
const makePurse =
  (tenant: TenantSql) =>
  async (keep: Keep<Answer>): Promise<Answer> =>
    await tenant.transaction(async (tx) => {
      const answer = { status: 201, id: newId("account") };
      await insert(tx, answer.id);
      await keep(tx, answer);
      return answer;
    });

const insert = (tx: TenantTx, id: string) =>
  tx.run(sql`insert into purses (tenant_id, id, units) values (${tx.tenant}, ${id}, 1)`);

describe("C06 the same key and body", () => {
  test("100 times at once has one effect; the others get its answer or are told to come back", async () => {
    const tenant = db.of(newTenant());
    const asked = request();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 100 }, () => idempotent(tenant, asked, makePurse(tenant))),
    );
    const ids = await purseIds(tenant);
    expect(ids).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === "fulfilled") expect(outcome.value.answer).toEqual({ status: 201, id: ids[0] });
      else
        expect(outcome.reason).toMatchObject({
          code: "idempotency_in_flight",
          headers: { "retry-after": /^[12]$/ },
        });
    }
    expect(outcomes.filter((o) => o.status === "fulfilled" && !o.value.replayed)).toHaveLength(1);
  });

  test("again gets the stored answer, member by member as it was", async () => {
    const tenant = db.of(newTenant());
    const asked = request();
    const answer = { z: 1, a: [{ y: "ü", b: null }] };
    const first = await idempotent(tenant, asked, async () => answer);
    const second = await idempotent<unknown>(tenant, asked, () =>
      Promise.reject(new RangeError("not run again")),
    );
    expect(first).toEqual({ answer, replayed: false });
    expect(second.replayed).toBe(true);
    expect(JSON.stringify(second.answer)).toBe(JSON.stringify(answer));
  });

  test("while the first still runs answers 409 with Retry-After", async () => {
    const tenant = db.of(newTenant());
    const asked = request();
    const { promise: running, resolve: finish } = Promise.withResolvers<string>();
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const first = idempotent(tenant, asked, () => {
      begin();
      return running;
    });
    await begun;
    await expect(idempotent(tenant, asked, makePurse(tenant))).rejects.toMatchObject({
      code: "idempotency_in_flight",
      status: 409,
      headers: { "retry-after": "2" },
    });
    finish("done");
    expect(await first).toEqual({ answer: "done", replayed: false });
  });

  test.each([
    ["client", { client: "cli_2" }],
    ["route", { route: "POST /other" }],
  ])("of another %s is another request", async (_, over) => {
    const tenant = db.of(newTenant());
    const asked = request();
    await idempotent(tenant, asked, async () => "first");
    expect(await idempotent(tenant, { ...asked, ...over }, async () => "second")).toEqual({
      answer: "second",
      replayed: false,
    });
  });

  test("of another tenant is another request", async () => {
    const asked = request();
    await idempotent(db.of(newTenant()), asked, async () => "first");
    expect(await idempotent(db.of(newTenant()), asked, async () => "second")).toMatchObject({
      answer: "second",
    });
  });
});

describe("C07 the same key with another body", () => {
  test("at once has one effect and answers the other 422, never a mixture", async () => {
    const tenant = db.of(newTenant());
    const asked = request();
    const outcomes = await Promise.allSettled(
      ["one", "two"].map((bodyDigest) => idempotent(tenant, { ...asked, bodyDigest }, makePurse(tenant))),
    );
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(outcomes.find((o) => o.status === "rejected")?.reason).toMatchObject({
      code: "idempotency_conflict",
      status: 422,
    });
    expect(await purseIds(tenant)).toHaveLength(1);
  });

  test("is refused after the answer is stored as well", async () => {
    const tenant = db.of(newTenant());
    const asked = request();
    await idempotent(tenant, asked, async () => "first");
    const other = idempotent(tenant, { ...asked, bodyDigest: "another" }, async () => "second");
    await expect(other).rejects.toMatchObject({ code: "idempotency_conflict" });
  });
});

describe("an effect and its answer", () => {
  test("are stored together or not at all", async () => {
    const tenant = db.of(newTenant());
    const asked = request();
    const failing = idempotent<Answer>(tenant, asked, (keep) =>
      tenant.transaction(async (tx) => {
        await insert(tx, newId("account"));
        await keep(tx, { status: 201, id: "lost" });
        throw new Problem("card_declined");
      }),
    );
    await expect(failing).rejects.toMatchObject({ code: "card_declined" });
    expect(await purseIds(tenant)).toEqual([]);
    expect(await idempotent(tenant, asked, makePurse(tenant))).toMatchObject({ replayed: false });
  });

  test("outlive what fails after them", async () => {
    const tenant = db.of(newTenant());
    const asked = request();
    const failing = idempotent<Answer>(tenant, asked, async (keep) => {
      await makePurse(tenant)(keep);
      throw new Problem("unavailable");
    });
    await expect(failing).rejects.toMatchObject({ code: "unavailable" });
    expect(await idempotent(tenant, asked, makePurse(tenant))).toMatchObject({ replayed: true });
    expect(await purseIds(tenant)).toHaveLength(1);
  });

  test("of another tenant's transaction are refused", async () => {
    const [mine, theirs] = [db.of(newTenant()), db.of(newTenant())];
    const crossing = idempotent<string>(mine, request(), (keep) =>
      theirs.transaction(async (tx) => {
        await keep(tx, "x");
        return "x";
      }),
    );
    await expect(crossing).rejects.toThrow("kept under the tenant of the request");
  });
});

/** As if so much time had passed since the key was used. */
const age = ({ key }: IdempotencyRequest, by: string): Promise<unknown> =>
  made.asAdmin(
    `update idempotency_keys set leased_until = leased_until - $2::interval, keep_until = keep_until - $2::interval
     where key = $1`,
    [key, by],
  );

describe("K08 a process whose clock is an hour ahead", () => {
  test("takes over no claim that is alive, and forgets no answer", async () => {
    const tenant = db.of(newTenant());
    const asked = request();
    const { promise: running, resolve: finish } = Promise.withResolvers<string>();
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const first = idempotent(tenant, asked, () => {
      begin();
      return running;
    });
    await begun;
    const comeBack = jumpTime(25 * hourMs);
    try {
      await expect(idempotent(tenant, asked, makePurse(tenant))).rejects.toMatchObject({
        code: "idempotency_in_flight",
      });
      finish("done");
      await first;
      expect(await idempotent<unknown>(tenant, asked, makePurse(tenant))).toMatchObject({ answer: "done" });
    } finally {
      comeBack();
    }
  });
});

describe("a claim whose process died", () => {
  test("is free again after its lease, and the late process can no longer have its effect", async () => {
    const tenant = db.of(newTenant());
    const asked = request();
    const { promise: stalled, resolve: wake } = Promise.withResolvers<void>();
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const late = idempotent<Answer>(tenant, asked, async (keep) => {
      begin();
      await stalled;
      return await makePurse(tenant)(keep);
    });
    await begun;
    await age(asked, "59 s");
    await expect(idempotent(tenant, asked, makePurse(tenant))).rejects.toMatchObject({
      code: "idempotency_in_flight",
    });
    await age(asked, "1 s");
    const taken = await idempotent(tenant, asked, makePurse(tenant));
    wake();
    await expect(late).rejects.toMatchObject({ code: "idempotency_in_flight" });
    expect(await purseIds(tenant)).toEqual([taken.answer.id]);
    expect(await idempotent(tenant, asked, makePurse(tenant))).toEqual({ ...taken, replayed: true });
  });
});

describe("an answer", () => {
  test("is kept for a day, and for ever where money moved", async () => {
    const tenant = db.of(newTenant());
    const [day, always] = [request(), request({ keep: "always" })];
    await idempotent(tenant, day, async () => "a");
    await idempotent(tenant, always, async () => "b");
    await age(day, "24 h");
    await age(always, "24 h");
    expect(await idempotent(tenant, always, async () => "c")).toEqual({ answer: "b", replayed: true });
    expect(await idempotent(tenant, { ...day, bodyDigest: "another" }, async () => "d")).toMatchObject({
      answer: "d",
    });
  });

  test("and a claim without one are swept for all tenants once their time is over, and nothing else is seen", async () => {
    await made.asAdmin("delete from idempotency_keys");
    const [one, two] = [db.of(newTenant()), db.of(newTenant())];
    const [kept, over, abandoned] = [request({ keep: "always" }), request(), request()];
    await idempotent(one, kept, async () => "kept");
    await idempotent(two, over, async () => "over");
    await idempotent(two, abandoned, async () => "abandoned");
    const inThePast = "now() - interval '25 h'";
    await made.asAdmin(`update idempotency_keys set keep_until = ${inThePast} where key = $1`, [over.key]);
    await made.asAdmin(
      `update idempotency_keys set keep_until = null, answer = null, leased_until = ${inThePast} where key = $1`,
      [abandoned.key],
    );
    await expect(
      db.relay.transaction((tx) => tx.many(sql`select answer from idempotency_keys`)),
    ).rejects.toMatchObject({
      code: "42501",
    });
    expect(await sweepIdempotencyKeys(db.relay)).toBe(2);
    expect(await made.asAdmin("select key from idempotency_keys")).toEqual([{ key: kept.key }]);
  });
});
