import { secondMs } from "@remit/kernel";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createAgent, merchantId, startWorld, type World } from "./world.ts";

const mib = 1024 * 1024;
let world: World;
/** What the health page says. */
let isWell = true;
let served = 0;

beforeAll(async () => {
  world = await startWorld({ more: { answerBytesMax: 2.5 * mib } });
  await world.writeOffers({
    more: [
      { path: "/demo/watched", method: "GET" },
      { path: "/demo/open", method: "GET", gate: "free", amount_minor: undefined, currency: undefined },
    ].map((line, index) => ({
      id: `watched-${index}`,
      merchant: merchantId,
      upstream: world.upstream.origin,
      amount_minor: 1000,
      currency: "USD",
      name: "watched",
      sku: "watched",
      health: { path: "/healthz", interval_s: 1 },
      ...line,
    })),
  });
  await world.gateway.reload();
  world.upstream.answer = (req, res) => {
    if (req.url !== "/healthz") {
      served += 1;
      return void res.end("the report");
    }
    res.writeHead(isWell ? 200 : 503).end();
  };
});

afterAll(() => world.close());

beforeEach(async () => {
  await world.database.asAdmin(`truncate ${world.database.schema}.claims cascade`);
  world.issuer.calls.length = 0;
  isWell = true;
  served = 0;
});

const codeOf = ({ body }: { body: Buffer }): unknown => JSON.parse(body.toString()).code;
/** The gateway asks each second of its own clock. */
const until = (target: string, status: number): Promise<void> =>
  eventually(async () => {
    world.clock.advance(secondMs);
    expect((await world.ask(target)).status).toBe(status);
  });

test("M11 while the health page of a route says no, nobody is asked to pay for it, and no other route minds", async () => {
  await until("/demo/watched", 402);
  const paid = createAgent(world).pay(await world.ask("/demo/watched"));
  isWell = false;
  await until("/demo/watched", 503);
  const unpaid = await world.ask("/demo/watched");
  expect([codeOf(unpaid), unpaid.headers["retry-after"]]).toEqual(["upstream_unavailable", "1"]);
  expect(unpaid.headers).not.toHaveProperty("payment-required");
  // Who was told to pay before is not held for it either, and keeps its credential.
  const answer = await world.ask("/demo/watched", { headers: paid });
  expect([answer.status, codeOf(answer)]).toEqual([503, "upstream_unavailable"]);
  expect((await world.ask("/demo/open")).status).toBe(503);
  expect(world.issuer.calls).toEqual([]);
  expect(await world.claims()).toEqual([]);
  expect(served).toBe(0);
  // Of the same upstream, but nobody has said that they depend on the page.
  expect((await world.ask("/demo/report")).status).toBe(402);
  isWell = true;
  await until("/demo/watched", 402);
  expect((await world.ask("/demo/watched", { headers: paid })).status).toBe(200);
});

test("whole answers fill so much memory and no more: the next is told so before any money is held", async () => {
  const large = "x".repeat(mib);
  const { promise: go, resolve } = Promise.withResolvers<void>();
  world.upstream.answer = (_, res) => void go.then(() => res.end(large));
  const buy = async (): Promise<{ status: number; code: unknown; retry: unknown }> => {
    const headers = createAgent(world).pay(await world.ask("/demo/report"));
    const answer = await world.ask("/demo/report", { headers });
    const code = answer.status === 200 ? undefined : codeOf(answer);
    return { status: answer.status, code, retry: answer.headers["retry-after"] };
  };
  resolve();
  // From now on it is known how large its answers are.
  expect(await buy()).toMatchObject({ status: 200 });
  const { promise: later, resolve: goOn } = Promise.withResolvers<void>();
  world.upstream.answer = (_, res) => void later.then(() => res.end(large));
  world.upstream.requests.length = 0;
  const first = [buy(), buy()];
  const bought = () => world.upstream.requests.filter(({ url }) => url === "/demo/report");
  await eventually(async () => expect(bought()).toHaveLength(2));
  world.issuer.calls.length = 0;
  const third = await buy();
  expect(third).toEqual({ status: 503, code: "unavailable", retry: "1" });
  expect(world.issuer.calls).toEqual([]);
  goOn();
  expect(await Promise.all(first)).toMatchObject([{ status: 200 }, { status: 200 }]);
  expect(await buy()).toMatchObject({ status: 200 });
});
