import { after, minuteMs, secondMs, toRfc3339 } from "@remit/kernel";
import type { ChargeBody } from "@remit/protocol/contracts";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAgent, startWorld, type World } from "./world.ts";

let world: World;

beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  await world.database.asAdmin(`truncate ${world.database.schema}.claims cascade`);
  world.issuer.charges.clear();
  world.issuer.calls.length = 0;
  world.issuer.trouble = () => undefined;
  world.issuer.asks = () => after(world.clock.now(), 10 * minuteMs);
  world.upstream.requests.length = 0;
  world.upstream.answer = (_, res) => void res.end("the report");
});

const bodyOf = ({ body }: { body: Buffer }) => JSON.parse(body.toString());
const countOf = (op: string): number => world.issuer.calls.filter((call) => call.op === op).length;

/** The principal's answer, as the authorization server comes to say it. */
function answer(change: Partial<ChargeBody>): void {
  for (const [id, charge] of world.issuer.charges) world.issuer.charges.set(id, { ...charge, ...change });
}

/** Recovery looks later at what it could not finish: time passes until it has. */
const recovered = (state: string): Promise<void> =>
  eventually(async () => {
    world.clock.advance(secondMs);
    expect(await world.claims()).toMatchObject([{ state }]);
  });

/** A purchase whose principal is asked: what to send again. */
async function ask() {
  const agent = createAgent(world);
  const headers = agent.pay(await world.ask("/demo/report"));
  const again = () => world.ask("/demo/report", { headers });
  return { headers, again, asked: await again() };
}

describe("a purchase whose principal is asked", () => {
  test("is 402 with Retry-After and the time to answer, and nothing is served", async () => {
    const { asked, again } = await ask();
    expect(asked.status).toBe(402);
    expect(asked.headers["retry-after"]).toBe("2");
    const [charge] = [...world.issuer.charges.values()];
    expect(bodyOf(asked)).toMatchObject({
      code: "approval_required",
      charge_id: charge?.id,
      approve_by: charge?.approve_by,
    });
    expect(bodyOf(await again())).toMatchObject({ code: "approval_required" });
    expect(world.upstream.requests).toEqual([]);
    expect(countOf("create")).toBe(1);
    expect(await world.claims()).toMatchObject([{ state: "waiting", charge_id: charge?.id }]);
  });

  test("goes on with the same credential once there is a yes, however old it has become, also after a restart", async () => {
    const { again } = await ask();
    world.clock.advance(9 * minuteMs);
    await world.restart();
    expect(bodyOf(await again())).toMatchObject({ code: "approval_required" });
    answer({ status: "authorized" });
    const paid = await again();
    expect([paid.status, paid.body.toString()]).toEqual([200, "the report"]);
    expect(countOf("create")).toBe(1);
    expect([...world.issuer.charges.values()]).toMatchObject([{ status: "captured" }]);
    expect((await again()).body.toString()).toBe("the report");
    expect(world.upstream.requests).toHaveLength(1);
  });

  test("C03 20 who ask again at once are served from one call of the upstream", async () => {
    const { again } = await ask();
    answer({ status: "authorized" });
    const answers = await Promise.all(Array.from({ length: 20 }, () => again()));
    for (const { status, body } of answers)
      if (status === 200) expect(body.toString()).toBe("the report");
      else expect(JSON.parse(body.toString())).toMatchObject({ code: "charge_in_progress" });
    expect(world.upstream.requests).toHaveLength(1);
    expect(countOf("capture")).toBe(1);
  });

  test.each([
    ["declined", "approval_denied"],
    ["expired", "approval_expired"],
  ] as const)("%s tells the agent so, and sells nothing", async (status, code) => {
    const { again } = await ask();
    answer({ status, decline_code: code });
    const refused = await again();
    expect([refused.status, bodyOf(refused).code]).toEqual([402, code]);
    expect(world.upstream.requests).toEqual([]);
    expect(await world.claims()).toMatchObject([{ state: "released" }]);
  });

  test("M03 is let go when its buyer never comes back for the yes", async () => {
    await ask();
    answer({ status: "authorized" });
    world.clock.advance(25 * minuteMs + 1);
    await eventually(async () => expect(await world.claims()).toMatchObject([{ state: "released" }]));
    expect([...world.issuer.charges.values()]).toMatchObject([{ status: "released" }]);
  });

  test("M04 a poll that the authorization server does not answer, or whose gateway dies, lets nothing go", async () => {
    for (const status of ["pending_approval", "authorizing", "authorized"] as const) {
      const { again } = await ask();
      answer({ status, serve_by: toRfc3339(after(world.clock.now(), 5 * minuteMs)) });
      world.issuer.trouble = ({ op }) => (op === "read" ? "500" : undefined);
      expect((await again()).status).toBe(503);
      world.issuer.trouble = () => undefined;
      await recovered("waiting");
      expect([...world.issuer.charges.values()]).toMatchObject([{ status }]);
      answer({ status: "authorized" });
      expect((await again()).status).toBe(200);
      await world.database.asAdmin(`truncate ${world.database.schema}.claims cascade`);
      world.issuer.charges.clear();
    }
  });

  test("M03 a yes that is not fetched by its serve_by is let go, and not before", async () => {
    const { again } = await ask();
    const serveBy = after(world.clock.now(), 5 * minuteMs);
    answer({ status: "authorized", serve_by: toRfc3339(serveBy) });
    world.issuer.trouble = ({ op }) => (op === "read" ? "500" : undefined);
    await again();
    world.issuer.trouble = () => undefined;
    await recovered("waiting");
    world.clock.advance(5 * minuteMs + 1);
    await recovered("released");
  });

  test("C03 many polls at once here are told the same, and none is lost when it closes", async () => {
    const { again } = await ask();
    const { promise, resolve } = Promise.withResolvers<void>();
    answer({ status: "authorized" });
    world.upstream.answer = (_, res) => void promise.then(() => res.end("the report"));
    const first = again();
    await eventually(async () => expect(world.upstream.requests).toHaveLength(1));
    // Whoever waits longer than a gateway has patience is told to come back, and does.
    const patiently = async (): ReturnType<typeof again> => {
      const told = await again();
      return told.status === 409 ? await patiently() : told;
    };
    const others = Array.from({ length: 5 }, patiently);
    resolve();
    for (const { status, body } of await Promise.all([first, ...others]))
      expect([status, body.toString()]).toEqual([200, "the report"]);
    expect(world.upstream.requests).toHaveLength(1);
  });

  test("O05 another's credential, or another request, does not go on with it", async () => {
    const { headers } = await ask();
    answer({ status: "authorized" });
    const elsewhere = await world.ask("/demo/report?other=1", { headers });
    expect([elsewhere.status, world.upstream.requests.length]).toEqual([409, 0]);
    const stranger = createAgent(world);
    const own = await world.ask("/demo/report", { headers: stranger.pay(await world.ask("/demo/report")) });
    expect(bodyOf(own)).toMatchObject({ code: "approval_required" });
    expect(world.issuer.charges.size).toBe(2);
  });
});
