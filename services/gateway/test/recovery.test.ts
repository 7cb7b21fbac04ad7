import { minuteMs, newId, secondMs } from "@remit/kernel";
import { setFailpoint } from "@remit/platform/failpoint";
import type { ChargeStatus } from "@remit/protocol/contracts";
import { eventually } from "@remit/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAgent, startWorld, type World } from "./world.ts";

let world: World;

beforeAll(async () => {
  world = await startWorld();
});

afterAll(async () => {
  await world.close();
});

beforeEach(async () => {
  await world.database.asAdmin(`truncate ${world.database.schema}.claims cascade`);
  world.issuer.charges.clear();
  world.issuer.calls.length = 0;
  world.issuer.trouble = () => undefined;
  world.upstream.requests.length = 0;
  world.upstream.answer = (_, res) => void res.end("the report");
});

afterEach(() => {
  setFailpoint(undefined);
});

const statuses = (): string[] => [...world.issuer.charges.values()].map(({ status }) => status);
const countOf = (op: string): number => world.issuer.calls.filter((call) => call.op === op).length;
/** Time passes until the claim has come to this end: leases run out, and what was put off is tried again. */
const ended = (state: string): Promise<void> =>
  eventually(async () => {
    world.clock.advance(minuteMs);
    expect(await world.claims()).toMatchObject([{ state, sealed_order: null }]);
  });

/** A purchase that breaks off right after a state was written; what the buyer sent, to be sent again. */
async function breakOffAt(name: string): Promise<Record<string, string>> {
  setFailpoint({ name, does: "error" });
  const headers = createAgent(world).pay(await world.ask("/demo/report"));
  expect((await world.ask("/demo/report", { headers })).status).toBe(500);
  return headers;
}

describe("recovery before the commit point releases", () => {
  test("M01 broken off before the charge: its key finds or makes it, and it is released", async () => {
    await breakOffAt("gateway.claimed");
    await ended("released");
    expect(statuses()).toEqual(["released"]);
    expect(world.upstream.requests).toEqual([]);
  });

  test.each([
    ["M03", "gateway.charged", 0],
    ["M04", "gateway.serving", 0],
    ["M05", "gateway.served", 1],
    ["M06", "gateway.capturing", 1],
  ])("%s broken off at %s: released, nothing kept, and the buyer may buy anew", async (_, name, calls) => {
    const headers = await breakOffAt(name);
    await ended("released");
    expect(statuses()).toEqual(["released"]);
    expect(world.upstream.requests).toHaveLength(calls);
    expect(countOf("capture")).toBe(0);
    expect(await world.database.asAdmin(`select 1 from ${world.database.schema}.responses`)).toEqual([]);
    const again = await world.ask("/demo/report", { headers });
    expect(again.status).toBe(402);
    const anew = await world.ask("/demo/report", { headers: createAgent(world).pay(again) });
    expect(anew.status).toBe(200);
  });

  test("M14 a release that gets no answer is repeated until it has one", async () => {
    let releases = 0;
    world.issuer.trouble = ({ op }) => (op === "release" && releases++ < 2 ? "500" : undefined);
    world.upstream.answer = (_, res) => {
      res.statusCode = 500;
      res.end();
    };
    const headers = createAgent(world).pay(await world.ask("/demo/report"));
    expect((await world.ask("/demo/report", { headers })).status).toBe(500);
    expect(await world.claims()).toMatchObject([{ state: "releasing" }]);
    await ended("released");
    expect(statuses()).toEqual(["released"]);
  });
});

describe("recovery after the commit point captures", () => {
  test("M06 a capture whose answer was lost is read back, and the buyer gets what it paid for", async () => {
    let refused = 0;
    // Every answer to the capture is lost; the first call of it was carried out.
    world.issuer.trouble = ({ op }) =>
      op === "capture" ? (refused++ === 0 ? "lose_answer" : "500") : undefined;
    const headers = createAgent(world).pay(await world.ask("/demo/report"));
    const first = await world.ask("/demo/report", { headers });
    expect(first.status).toBe(503);
    expect(first.headers).toHaveProperty("retry-after");
    expect(first.body.toString()).not.toContain("the report");
    await ended("captured");
    expect(statuses()).toEqual(["captured"]);
    const again = await world.ask("/demo/report", { headers });
    expect([again.status, again.body.toString()]).toEqual([200, "the report"]);
    expect(again.headers).toMatchObject({ "idempotent-replayed": "true" });
    expect(again.headers).toHaveProperty("remit-receipt");
    expect(world.upstream.requests).toHaveLength(1);
  });

  test("M09 a charge that is capturing is captured, never released", async () => {
    world.issuer.trouble = ({ op }) => (op === "capture" ? "charge_in_progress" : undefined);
    const headers = createAgent(world).pay(await world.ask("/demo/report"));
    expect((await world.ask("/demo/report", { headers })).status).toBe(503);
    for (const charge of world.issuer.charges.values())
      world.issuer.charges.set(charge.id, { ...charge, status: "capturing" });
    world.issuer.trouble = () => undefined;
    await ended("captured");
    expect(countOf("release")).toBe(0);
    expect((await world.ask("/demo/report", { headers })).status).toBe(200);
  });

  test("M09 a capture that comes late, when recovery has begun to release: the buyer gets what it paid for", async () => {
    const late = (): void => {
      for (const charge of world.issuer.charges.values())
        world.issuer.charges.set(charge.id, { ...charge, status: "captured", receipt: "eyJ.late.sig" });
    };
    world.issuer.trouble = ({ op }) => {
      if (op === "release") late();
      return op === "capture" ? "lose_request" : undefined;
    };
    const headers = createAgent(world).pay(await world.ask("/demo/report"));
    expect((await world.ask("/demo/report", { headers })).status).toBe(503);
    await ended("captured");
    expect(countOf("release")).toBe(1);
    const again = await world.ask("/demo/report", { headers });
    expect([again.status, again.body.toString()]).toEqual([200, "the report"]);
    expect(again.headers).toMatchObject({ "remit-receipt": "eyJ.late.sig" });
  });

  test("M09 a capture that got no answer is left alone for 10 s, in which it may still come", async () => {
    world.issuer.trouble = ({ op }) => (op === "capture" ? "lose_request" : undefined);
    const headers = createAgent(world).pay(await world.ask("/demo/report"));
    expect((await world.ask("/demo/report", { headers })).status).toBe(503);
    const [claim] = await world.database.asAdmin<{ left: string }>(
      `select extract(epoch from leased_until) * 1000 - $1 as left from ${world.database.schema}.claims`,
      [world.clock.now()],
    );
    expect(Number(claim?.left)).toBe(10_000);
    expect(countOf("read")).toBe(0);
    await ended("released");
  });

  test("M08 broken off after the capture: the stored answer is returned", async () => {
    const headers = await breakOffAt("gateway.captured");
    expect(await world.claims()).toMatchObject([{ state: "captured" }]);
    const again = await world.ask("/demo/report", { headers });
    expect([again.status, again.body.toString()]).toEqual([200, "the report"]);
    expect(world.upstream.requests).toHaveLength(1);
  });
});

describe("who works on a claim", () => {
  test("while the outcome is open the same credential is told to wait, and nothing is bought twice", async () => {
    world.issuer.trouble = ({ op }) => (op === "create" ? "lose_request" : undefined);
    const headers = createAgent(world).pay(await world.ask("/demo/report"));
    expect((await world.ask("/demo/report", { headers })).status).toBe(503);
    const again = await world.ask("/demo/report", { headers });
    expect(again.status).toBe(409);
    expect(again.headers).toHaveProperty("retry-after");
    expect(world.upstream.requests).toEqual([]);
    world.issuer.trouble = () => undefined;
    await ended("released");
  });

  test("a claim of another worker is left alone until its lease has ended", async () => {
    const charge = await openClaim({ worker: "elsewhere", boot: "1", leasedInMs: 60_000 });
    await world.restart();
    expect(countOf("read")).toBe(0);
    await ended("released");
    expect(world.issuer.charges.get(charge)?.status).toBe("released");
  });

  test("a claim of an earlier run of this worker is taken over at once", async () => {
    await openClaim({ worker: undefined, boot: "earlier", leasedInMs: 3_600_000_000 });
    await world.restart();
    await ended("released");
    expect(statuses()).toEqual(["released"]);
  });

  /** A claim that some run left in `serving`, with its charge held. */
  async function openClaim(by: {
    worker: string | undefined;
    boot: string;
    leasedInMs: number;
    merchant?: string;
  }): Promise<string> {
    const headers = await breakOffAt("gateway.captured");
    expect(headers).toBeDefined();
    const [charge] = [...world.issuer.charges.values()];
    if (charge === undefined) throw new Error("no charge");
    const held: ChargeStatus = "authorized";
    world.issuer.charges.set(charge.id, { ...charge, status: held });
    world.issuer.calls.length = 0;
    await world.database.asAdmin(
      `update ${world.database.schema}.claims set state = 'serving', worker = coalesce($1, worker), boot = $2, leased_until = to_timestamp($3::float8 / 1000), merchant_id = coalesce($4, merchant_id)`,
      [by.worker ?? null, by.boot, world.clock.now() + by.leasedInMs, by.merchant ?? null],
    );
    return charge.id;
  }

  test("a worker that was too slow cannot move what another one has taken over", async () => {
    const reached = Promise.withResolvers<() => void>();
    world.upstream.answer = (_, res) => reached.resolve(() => void res.end("too late"));
    const headers = createAgent(world).pay(await world.ask("/demo/report"));
    const slow = world.ask("/demo/report", { headers });
    const deliver = await reached.promise;
    await ended("released");
    deliver();
    const answer = await slow;
    expect(answer.status).toBe(409);
    expect(answer.body.toString()).not.toContain("too late");
    expect(statuses()).toEqual(["released"]);
  });

  test("a claim that is stuck does not hold up the others", async () => {
    world.issuer.trouble = ({ op }) => (op === "read" ? "500" : undefined);
    for (let i = 0; i < 3; i++) await breakOffAt("gateway.serving");
    const due = `select 1 from ${world.database.schema}.claims where leased_until <= to_timestamp($1::float8 / 1000)`;
    await eventually(async () => {
      world.clock.advance(secondMs);
      expect(await world.database.asAdmin(due, [world.clock.now()])).toEqual([]);
    });
    // Nobody's read is answered before all three have asked: one after the other they would wait in vain.
    const asked = Promise.withResolvers<undefined>();
    let reads = 0;
    world.issuer.trouble = ({ op }) => {
      if (op !== "read") return undefined;
      if (++reads === 3) asked.resolve(undefined);
      return asked.promise;
    };
    world.clock.advance(minuteMs);
    const released = { state: "released" };
    await eventually(async () => expect(await world.claims()).toMatchObject([released, released, released]));
    expect(reads).toBe(3);
  });

  test("a merchant that is gone from the offers keeps its open purchases until it is back", async () => {
    await openClaim({ worker: undefined, boot: "earlier", leasedInMs: 0, merchant: newId("merchant") });
    const generation = async (): Promise<number> => (await world.claims())[0]?.generation ?? 0;
    const before = await generation();
    await world.restart();
    await eventually(async () => {
      world.clock.advance(minuteMs);
      expect(await generation()).toBeGreaterThan(before);
    });
    expect(await world.claims()).toMatchObject([{ state: "serving" }]);
    expect(statuses()).toEqual(["authorized"]);
  });
});
