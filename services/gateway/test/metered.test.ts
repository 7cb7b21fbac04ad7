import { connect } from "node:net";
import { after, minuteMs, secondMs } from "@remit/kernel";
import { parseReceipt, parseSettleResponse, peekOffer, publicJwkOf } from "@remit/protocol";
import { verifyMerchantReceipt } from "@remit/protocol/node";
import { eventually } from "@remit/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { chat, type MeteredWorld, type Paying, startMeteredWorld } from "./metered-world.ts";
import { openStream } from "./streams.ts";
import { entryOf, offerOf, origin, type World } from "./world.ts";

let shop: MeteredWorld;
let world: World;

beforeAll(async () => {
  shop = await startMeteredWorld();
  world = shop.world;
});

afterAll(() => shop.close());
beforeEach(() => shop.clean());

const byMandate: Paying = (unpaid) => shop.byMandate(unpaid);
const byCard: Paying = (unpaid) => shop.byCard(unpaid);
const rails = [
  ["a mandate", byMandate],
  ["a card", byCard],
] as const;
const taken: MeteredWorld["taken"] = () => shop.taken();
const begin: MeteredWorld["begin"] = (target, pay) => shop.begin(target, pay);
const ended: MeteredWorld["ended"] = (state) => shop.ended(state);

describe.each(rails)("a price by use, by %s", (rail, pay) => {
  test("holds the ceiling, takes what the model says that it used, and the receipt tells it", async () => {
    world.upstream.answer = (_, res) => {
      res.setHeader("content-type", "application/json");
      res.end(JSON.stringify({ usage: { total_tokens: 1_234_567 } }));
    };
    const unpaid = await world.ask("/tokens", chat);
    expect(peekOffer(offerOf(entryOf(unpaid)))).toMatchObject({
      amount_minor: 50,
      max_amount_minor: 300,
      unit_price: { unit: "mtok", amount_minor: 100 },
    });
    expect(entryOf(unpaid).amount).toBe("300");
    const paid = await world.ask("/tokens", { ...chat, headers: await pay(unpaid) });
    expect(paid.status).toBe(200);
    expect(await taken()).toEqual({ minor: [124], held: 0 });
    expect(parseSettleResponse(String(paid.headers["payment-response"])).amount).toBe("124");
    expect(await world.claims()).toMatchObject([
      { state: "captured", used: "1234567", amount_minor: "300", captured_minor: "124" },
    ]);
    if (rail === "a card")
      expect(
        verifyMerchantReceipt(String(paid.headers["remit-receipt"]), {
          origin,
          keys: [publicJwkOf(world.offerKey)],
        }),
      ).toMatchObject({
        amount_minor: 124,
        metered: { unit: "mtok", used: 1_234_567, amount_minor: 100, quantity: 1, held_minor: 300 },
      });
  });

  test.each([
    ["more than the ceiling pays for", { usage: { total_tokens: 9_000_000 } }, 300],
    ["nothing that anybody says", { text: "hello" }, 50],
  ])("of %s it takes no more than agreed, and no less", async (_, answer, minor) => {
    world.upstream.answer = (_req, res) => void res.end(JSON.stringify(answer));
    const headers = await pay(await world.ask("/tokens", chat));
    expect((await world.ask("/tokens", { ...chat, headers })).status).toBe(200);
    expect(await taken()).toEqual({ minor: [minor], held: 0 });
  });

  test("what streams is taken once it has ended, and its proof follows it", async () => {
    world.upstream.answer = (_, res) => {
      res.setHeader("content-type", "text/event-stream");
      res.write('data: {"choices":[{"delta":{"content":"hi"}}]}\n\n');
      res.end(
        'data: {"choices":[],"usage":{"prompt_tokens":700000,"completion_tokens":1}}\n\ndata: [DONE]\n\n',
      );
    };
    const { stream, headers } = await begin("/chat", pay);
    expect(stream.status).toBe(200);
    expect(stream.headers).toMatchObject({ "content-type": "text/event-stream", "cache-control": "private" });
    expect(await stream.over).toBe("whole");
    expect(await taken()).toEqual({ minor: [71], held: 0 });
    const trailers = stream.trailers();
    expect(parseSettleResponse(String(trailers["payment-response"]))).toMatchObject({
      success: true,
      amount: "71",
    });
    expect(parseReceipt(String(trailers["payment-receipt"])).status).toBe("success");
    expect(trailers["remit-receipt"]).toBeDefined();
    // The upstream was told to say it, in an encoding that can be read.
    expect(world.upstream.requests[0]?.headers).toMatchObject({ "accept-encoding": "identity" });
    // It was streamed, so that who comes again gets the receipt, and pays nothing.
    const again = await world.ask("/chat", { ...chat, headers });
    expect([again.status, JSON.parse(again.body.toString())]).toMatchObject([
      409,
      { code: "already_settled", receipt: trailers["remit-receipt"] },
    ]);
    expect(await taken()).toEqual({ minor: [71], held: 0 });
    expect(world.upstream.requests).toHaveLength(1);
  });

  test("a buyer who goes before the answer says what it used pays for the question, and for the parts that came", async () => {
    world.upstream.answer = (_, res) => {
      res.setHeader("content-type", "text/event-stream");
      res.write('data: {"choices":[{"delta":{"content":"hi"}}]}\n\n');
      setTimeout(() => {
        res.write('data: {"choices":[{"delta":{"content":"ho"}}]}\n\n');
        res.end('data: {"choices":[],"usage":{"prompt_tokens":900000,"completion_tokens":500000}}\n\n');
      }, 300);
    };
    const { stream } = await begin("/chat", pay);
    await stream.until("hi");
    stream.hangUp();
    await eventually(async () => expect(await taken()).toEqual({ minor: [91], held: 0 }));
    expect(await world.claims()).toMatchObject([{ used: "900001" }]);
  });

  test("an answer that says its use once it is whole is delivered whole, and paid first", async () => {
    world.upstream.answer = (_, res) => void res.end(JSON.stringify({ usage: { total_tokens: 800_000 } }));
    const { stream, headers } = await begin("/chat", pay);
    expect(stream.headers["payment-response"]).toBeDefined();
    expect(await stream.over).toBe("whole");
    expect(await taken()).toEqual({ minor: [80], held: 0 });
    const again = await world.ask("/chat", { ...chat, headers });
    expect([again.status, again.body.toString()]).toEqual([200, stream.body()]);
  });

  test("what has no chunks has no trailers, and comes to its end all the same", async () => {
    world.upstream.answer = (_, res) => void res.end("x".repeat(1000));
    const paid = await pay(await world.ask("/bytes"));
    const { hostname, port } = new URL(world.address);
    const socket = connect(Number(port), hostname);
    const lines = Object.entries({ Host: "shop.test", ...paid }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    socket.write(`GET /bytes HTTP/1.0\r\n${lines.join("")}\r\n`);
    let text = "";
    for await (const chunk of socket) text += String(chunk);
    expect(text).toContain("200 OK");
    expect(text).not.toMatch(/^trailer:/im);
    expect(text.endsWith("x".repeat(1000))).toBe(true);
    expect(await taken()).toEqual({ minor: [50], held: 0 });
    world.upstream.answer = (_, res) => void res.writeHead(204).end();
    const { stream } = await begin("/bytes", pay);
    expect([stream.status, await stream.over]).toEqual([204, "whole"]);
  });

  test.each([
    ["a stream that is asked for in a number", '{"messages":[],"stream":1}'],
    ["a stream by another name", '{"messages":[],"Stream":true}'],
    ["what is no JSON", "messages"],
  ])("%s could not be counted, and nothing is held for it", async (_, body) => {
    const headers = await pay(await world.ask("/chat", { ...chat, body }));
    const answer = await world.ask("/chat", { ...chat, body, headers });
    expect(answer.status).toBe(422);
    expect(await taken()).toEqual({ minor: [], held: 0 });
  });

  test("it stops at the ceiling, to the byte, and nobody takes that for the whole", async () => {
    world.upstream.answer = (_, res) => {
      res.write("x".repeat(2_900_000));
      res.end("y".repeat(200_000));
    };
    const { stream } = await begin("/bytes", pay);
    expect([stream.status, await stream.over]).toEqual([200, "cut"]);
    expect(stream.body()).toHaveLength(3_000_000);
    await eventually(async () => expect(await taken()).toEqual({ minor: [300], held: 0 }));
  });

  test("M13 a buyer who hangs up pays for what was given, and the upstream is let go of", async () => {
    const { promise: letGo, resolve } = Promise.withResolvers<void>();
    world.upstream.answer = (_, res) => {
      res.once("close", resolve).write("x".repeat(800_000));
    };
    const { stream } = await begin("/bytes", pay);
    await eventually(async () => expect(stream.body()).toHaveLength(800_000));
    stream.hangUp();
    await letGo;
    await eventually(async () => expect(await taken()).toEqual({ minor: [80], held: 0 }));
    expect(await world.claims()).toMatchObject([{ state: "captured", used: "800000" }]);
  });

  test("M11 an upstream that breaks off is paid for what came, and what came is cut", async () => {
    world.upstream.answer = (_, res) =>
      void res.write("x".repeat(700_000), () => setImmediate(() => res.destroy()));
    const { stream } = await begin("/bytes", pay);
    expect(await stream.over).toBe("cut");
    await eventually(async () => expect((await taken()).minor).toHaveLength(1));
    const [{ used, captured_minor }] = (await world.claims()) as unknown as [
      { used: bigint; captured_minor: bigint },
    ];
    expect(Number(used)).toBe(stream.body().length);
    expect(await taken()).toEqual({ minor: [Math.max(50, Math.ceil(Number(used) / 10_000))], held: 0 });
    expect(Number(captured_minor)).toBe((await taken()).minor[0]);
  });

  test.each([
    ["before its first byte", 502, (res: { destroy(): void }) => res.destroy()],
    [
      "with an error of its own",
      503,
      (res: { writeHead(n: number): { end(t: string): void } }) => res.writeHead(503).end("busy"),
    ],
  ])("M11 an upstream that fails %s costs nothing, streamed or not", async (_, status, fail) => {
    world.upstream.answer = (_req, res) => fail(res);
    for (const target of ["/bytes", "/whole"]) {
      const headers = await pay(await world.ask(target));
      const answer = await world.ask(target, { headers });
      expect(answer.status).toBe(status);
      expect(answer.headers).not.toHaveProperty("payment-response");
    }
    expect(await taken()).toEqual({ minor: [], held: 0 });
  });

  test("C03 what streams goes to one of those who come with a credential", async () => {
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    world.upstream.answer = (_, res) => void res.write("x", () => resolve());
    const { stream, headers } = await begin("/bytes", pay);
    await asked;
    await stream.until("x");
    expect((await world.ask("/bytes", { headers })).status).toBe(409);
    expect(world.upstream.requests).toHaveLength(1);
    stream.hangUp();
    await ended("captured");
  });

  test("time is counted while nothing comes, and its ceiling ends it", async () => {
    world.upstream.answer = (_, res) => void res.write("open");
    const { stream } = await begin("/hours", pay);
    await stream.until("open");
    // Ten dollars for each minute, three dollars at the most.
    world.clock.advance(15 * secondMs);
    await eventually(async () => expect(await world.claims()).toMatchObject([{ used: "15000" }]));
    world.clock.advance(5 * secondMs);
    expect(await stream.over).toBe("cut");
    await eventually(async () => expect(await taken()).toEqual({ minor: [300], held: 0 }));
  });
});

describe.each(rails)("a fixed price for what streams, by %s", (rail, pay) => {
  const intents = async (): Promise<number[]> => (await taken()).minor;

  test("is taken at the first byte, and the receipt comes with it", async () => {
    world.upstream.answer = (_, res) => void res.write("first ");
    const { stream } = await begin("/whole", pay);
    await stream.until("first ");
    expect(stream.headers["remit-receipt"]).toBeDefined();
    expect(parseSettleResponse(String(stream.headers["payment-response"])).success).toBe(true);
    expect(await taken()).toEqual({ minor: [500], held: 0 });
    expect(await world.claims()).toMatchObject([{ state: "owed" }]);
    stream.hangUp();
    // Whoever hangs up has had it.
    await eventually(async () =>
      expect(await world.claims()).toMatchObject([{ state: "captured", sealed_order: null }]),
    );
  });

  test("M11 what the upstream breaks off stays owed: the same payment gets all of it, once", async () => {
    world.upstream.answer = (_, res) => void res.write("half", () => setImmediate(() => res.destroy()));
    const { stream, headers } = await begin("/whole", pay);
    expect(await stream.over).toBe("cut");
    expect(await intents()).toEqual([500]);
    world.upstream.answer = (_, res) => {
      res.write("all ");
      res.end("of it");
    };
    const again = await openStream(world.address, "/whole", { headers });
    expect(await again.over).toBe("whole");
    expect(again.body()).toBe("all of it");
    // The upstream is told the same of who pays, however late it serves.
    const [first, last] = [world.upstream.requests[0]?.headers, world.upstream.requests.at(-1)?.headers];
    for (const name of ["x-payment-payer", "x-remit-agent", "x-remit-mandate"])
      expect(last?.[name]).toBe(first?.[name]);
    expect(last?.["x-remit-mandate"] !== undefined).toBe(rail === "a mandate");
    expect(await taken()).toEqual({ minor: [500], held: 0 });
    const third = await world.ask("/whole", { headers });
    expect([third.status, JSON.parse(third.body.toString()).code]).toEqual([409, "already_settled"]);
  });
});

test("M12 a capture that is refused delivers nothing", async () => {
  world.issuer.trouble = ({ op }) => (op === "capture" ? "mandate_revoked" : undefined);
  world.upstream.answer = (_, res) => void res.end("all");
  const headers = await byMandate(await world.ask("/whole"));
  const answer = await world.ask("/whole", { headers });
  expect(answer.status).toBe(402);
  expect(answer.body.toString()).not.toContain("all");
  expect(await taken()).toEqual({ minor: [], held: 0 });
});

describe("a stream whose principal is asked", () => {
  afterEach(() => {
    world.issuer.asks = () => undefined;
  });

  test("C03 is delivered once to the many who come back for it at once, and all of it is paid", async () => {
    world.issuer.asks = () => after(world.clock.now(), 10 * minuteMs);
    world.upstream.answer = (_, res) => void res.end(Buffer.alloc(2_000_000));
    const headers = await byMandate(await world.ask("/bytes"));
    expect((await world.ask("/bytes", { headers })).status).toBe(402);
    for (const [id, charge] of world.issuer.charges)
      world.issuer.charges.set(id, { ...charge, status: "authorized" });
    const answers = await Promise.all(Array.from({ length: 12 }, () => world.ask("/bytes", { headers })));
    expect(
      answers.map(({ status, body }) => `${status} ${status === 200 ? body.length : ""}`).toSorted(),
    ).toEqual(["200 2000000", ...Array.from({ length: 11 }, () => "409 ")]);
    expect(await taken()).toEqual({ minor: [200], held: 0 });
  });
});
