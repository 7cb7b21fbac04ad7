import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { newId } from "@remit/kernel";
import { type JsonObject, publicJwkOf } from "@remit/protocol";
import { verifyMerchantReceipt } from "@remit/protocol/node";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { describeDoors } from "./mcp-doors.ts";
import { byMandate, byTransfer, type McpWorld, payers, present, startMcpWorld } from "./mcp-world.ts";
import { entryFor, transfer } from "./payers.ts";
import {
  byMethod,
  byScheme,
  callOf,
  connectTo,
  payMpp,
  payX402,
  rpc,
  type Tools,
  type Unpaid,
  unpaidOf,
} from "./tool-server.ts";
import { origin, send } from "./world.ts";

let world: McpWorld;

beforeAll(async () => {
  world = await startMcpWorld();
});

afterAll(async () => {
  await world.close();
});

beforeEach(() => world.reset());

const bern = 'report {"city":"Bern"}';
const raw: McpWorld["raw"] = (message, headers) => world.raw(message, headers);
const call = (name: string, meta?: JsonObject, by: Client = world.client) =>
  by.callTool({ name, arguments: { city: "Bern" }, ...(meta && { _meta: meta }) });
const askFor = async (name = "report"): Promise<Unpaid> => unpaidOf(await call(name));

/** Nothing was charged and nothing is held. */
async function nothingTaken(): Promise<void> {
  await eventually(async () =>
    expect((await world.states()).filter((state) => state !== "released")).toEqual([]),
  );
  const statuses = [...world.issuer.charges.values()].map(({ status }) => status);
  expect(statuses.filter((status) => status !== "released")).toEqual([]);
  expect(await world.moved()).toBe(0);
  const held = (await world.sandbox.paymentIntents()).filter(({ status }) => status === "requires_capture");
  expect(held).toEqual([]);
}

describe("a tool that is sold", () => {
  test.each(payers)("is called once it is paid by %s, and the answer proves it", async (_, pay) => {
    const unpaid = await askFor();
    expect(world.ran()).toEqual([]);
    const meta = await pay(world, unpaid);
    const paid = await call("report", meta);
    expect(paid.isError).toBeUndefined();
    expect(paid.content).toEqual([{ type: "text", text: bern }]);
    expect(world.ran()).toEqual(["report"]);
    expect(world.tools.calls[0]?.meta).toBeUndefined();
    expect(await world.states()).toEqual(["captured"]);
    const settled = paid._meta?.["x402/payment-response"] as JsonObject;
    expect(settled).toMatchObject({ success: true, transaction: expect.stringMatching(/^(chg_|pi_|0x)/) });
    expect(paid._meta?.["own/note"]).toBe(1);
    const receipt = String(paid._meta?.["remit/receipt"]);
    if (settled["payer"] === "pairwise-1") expect(receipt).toMatch(/^eyJ\.chg_/);
    else {
      const keys = [publicJwkOf(world.offerKey)];
      expect(verifyMerchantReceipt(receipt, { origin, keys })).toMatchObject({ amount_minor: 1000 });
    }
    const credential = meta["org.paymentauth/credential"] as { challenge: { id: string } } | undefined;
    if (credential === undefined) expect(paid._meta).not.toHaveProperty("org.paymentauth/receipt");
    else
      expect(paid._meta?.["org.paymentauth/receipt"]).toMatchObject({
        status: "success",
        reference: settled["transaction"],
        challengeId: credential.challenge.id,
      });
  });

  test("says what it costs where a model reads and where a program does", async () => {
    const { tools: list } = await world.client.listTools();
    expect(list.map(({ name }) => name)).toEqual(["report", "sibling", "echo", "fails", "throws"]);
    expect(list[0]).toMatchObject({
      description: "The report.\n\nCosts 10.00 USD per call.",
      _meta: {
        "remit/price": { amount: "10.00", amount_minor: 1000, pays_with: ["mandate", "card", "x402"] },
      },
    });
    expect(list[2]).toEqual({ name: "echo", description: "The echo.", inputSchema: { type: "object" } });
    expect(world.client.getServerCapabilities()?.experimental).toEqual({
      payment: {
        methods: {
          oid4ac: { intents: ["charge"] },
          stripe: { intents: ["charge"] },
          evm: { intents: ["charge"] },
        },
      },
    });
  });

  test("a free tool passes with its progress, and no payment goes up with it", async () => {
    const progress: number[] = [];
    const meta = await byMandate(world, await askFor());
    const answer = await world.client.callTool({ name: "echo", arguments: {}, _meta: meta }, undefined, {
      onprogress: ({ progress: at }) => void progress.push(at),
    });
    expect(answer.content).toEqual([{ type: "text", text: "echo {}" }]);
    expect(progress).toEqual([1]);
    expect(Object.keys(world.tools.calls[0]?.meta ?? {})).toEqual(["progressToken"]);
    expect(await world.claims()).toEqual([]);
  });
});

describe("how a call is told what it costs", () => {
  test("as a result that both kinds of client read, unless it asks for something else", async () => {
    const { json, headers } = await raw(callOf("report"));
    const result = json["result"] as {
      content: [{ text: string }];
      structuredContent: JsonObject;
      isError: true;
    };
    expect(result.isError).toBe(true);
    expect(JSON.parse(result.content[0].text)).toEqual(result.structuredContent);
    expect(result.structuredContent).toMatchObject({
      x402Version: 2,
      resource: { url: "http://shop.test/mcp", description: "The tool report" },
    });
    expect(headers["cache-control"]).toBe("no-store");
    expect(result).not.toHaveProperty("resultType");
    expect(unpaidOf(result).challenges).toHaveLength(3);
  });

  const errors: readonly [string, JsonObject, Record<string, string>][] = [
    [
      "in this call",
      { "io.modelcontextprotocol/clientCapabilities": { experimental: { payment: { methods: {} } } } },
      {},
    ],
    ["by Accept-Payment", {}, { "accept-payment": "stripe/charge" }],
  ];
  test.each(errors)("as -32042 to who asks for it %s", async (_, meta, headers) => {
    const { json } = await raw(callOf("report", meta), headers);
    expect(json["error"]).toMatchObject({
      code: -32_042,
      data: {
        httpStatus: 402,
        problem: { type: "https://paymentauth.org/problems/payment-required", status: 402 },
      },
    });
    const { challenges } = (json["error"] as { data: { challenges: JsonObject[] } }).data;
    expect(challenges.map(({ method }) => method)).toEqual(
      headers["accept-payment"] === undefined ? ["oid4ac", "stripe", "evm"] : ["stripe"],
    );
    expect(challenges[0]?.["request"]).toBeTypeOf("object");
  });

  test("as -32042 to a client that said at its start that it understands it, at any replica", async () => {
    const replica = await world.replica();
    const speaks = await connectTo(world.address, {
      capabilities: { experimental: { payment: { methods: {} } } },
    });
    await expect(call("report", undefined, speaks)).rejects.toMatchObject({ code: -32_042 });
    const named = String(speaks.transport?.sessionId);
    expect(named).toMatch(/^e\./);
    const answer = await send(replica, "/mcp", rpc(callOf("report"), { "mcp-session-id": named }));
    expect(JSON.parse(answer.body.toString())).toMatchObject({ error: { code: -32_042 } });
    await speaks.close();
  });

  test("as the result type of x402's extension to who advertises that", async () => {
    const advertised = { extensions: { "org.x402/payment": {} } };
    const { json } = await raw(
      callOf("report", { "io.modelcontextprotocol/clientCapabilities": advertised }),
    );
    expect(json["result"]).toMatchObject({
      resultType: "payment_required",
      paymentRequired: { x402Version: 2, accepts: expect.any(Array) },
    });
  });

  test("with the type of a result where the revision of MCP wants it", async () => {
    const meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28" };
    const { json } = await raw(callOf("report", meta));
    expect(json["result"]).toMatchObject({ isError: true, resultType: "complete" });
  });
});

describe("what is not delivered is not charged", () => {
  test.each([
    ["that says so", "fails", { result: { isError: true, content: [{ text: "no data today" }] } }],
    ["by an error of JSON-RPC", "throws", { error: { code: -32_001 } }],
  ])("M11 a tool that fails %s", async (_, name, told) => {
    for (const [, pay] of payers.slice(0, 3)) {
      const { json } = await raw(
        callOf(name, await pay(world, unpaidOf((await raw(callOf(name))).json["result"]))),
      );
      expect(json).toMatchObject(told);
      expect(JSON.stringify(json)).not.toMatch(/payment-response|remit\/receipt/);
    }
    expect(world.ran()).toHaveLength(3);
    await nothingTaken();
  });

  const broken: readonly [string, NonNullable<Tools["trouble"]>][] = [
    ["crashes", (req) => void req.socket.destroy()],
    [
      "breaks off in mid-answer",
      (req, res) => {
        res.writeHead(200, { "content-type": "text/event-stream" });
        res.write("event: message\ndata: {", () => req.socket.destroy());
      },
    ],
    ["hangs", () => undefined],
    ["answers another call", (_, res) => json(res, { jsonrpc: "2.0", id: 1, result: { content: [] } })],
    [
      "answers with no result of a tool",
      (_, res, id) => json(res, { jsonrpc: "2.0", id, result: { content: "none" } }),
    ],
    ["answers with a page", (_, res) => void res.writeHead(200, { "content-type": "text/html" }).end("<p>")],
    ["accepts and says nothing", (_, res) => void res.writeHead(202).end()],
  ];
  const json = (res: Parameters<NonNullable<Tools["trouble"]>>[1], body: object): void =>
    void res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));

  test.each(broken)("M11 a server that %s", async (_, trouble) => {
    const meta = await byTransfer(world, await askFor());
    world.tools.trouble = trouble;
    const { json: told } = await raw(callOf("report", meta));
    expect(told).toMatchObject({ error: { code: -32_603 } });
    await nothingTaken();
    // The same signature pays once the server is well again.
    world.tools.trouble = undefined;
    expect((await call("report", meta)).isError).toBeUndefined();
    expect(await world.states()).toEqual(["captured"]);
  });

  test("M11 a session that has ended: its client hears so, and pays nothing", async () => {
    const meta = await byMandate(world, await askFor());
    const answer = await world.ask("/mcp", rpc(callOf("report", meta), { "mcp-session-id": "r.gone" }));
    expect([answer.status, answer.body.toString()]).toEqual([404, "no such session"]);
    await nothingTaken();
  });
});

describe("a payment of a call", () => {
  test.each(payers.slice(0, 3))(
    "C03 20 at once with one payment by %s are one call of the tool",
    async (_, pay) => {
      const meta = await pay(world, await askFor());
      const answers = await Promise.all(Array.from({ length: 20 }, () => raw(callOf("report", meta))));
      expect(world.ran()).toEqual(["report"]);
      expect(await world.states()).toEqual(["captured"]);
      const kinds = answers.map(({ json }) =>
        "result" in json ? (json["result"] as JsonObject)["isError"] : (json["error"] as JsonObject)["code"],
      );
      expect(kinds.every((kind) => kind === undefined || kind === -32_000 || kind === -32_603)).toBe(true);
      expect(kinds).toContain(undefined);
    },
  );

  test("M17 a lost answer is fetched with the same mandate, under the number of the new call", async () => {
    const meta = await byMandate(world, await askFor());
    const first = await raw(callOf("report", meta));
    const again = callOf("report", meta);
    const second = await raw(again);
    expect(world.ran()).toEqual(["report"]);
    expect(second.json).toMatchObject({ id: again["id"], result: { _meta: { "remit/replayed": true } } });
    const content = ({ json }: { json: JsonObject }): unknown => (json["result"] as JsonObject)["content"];
    expect(content(second)).toEqual(content(first));
  });

  test("M17 a stranger who copied a signature from the chain gets no answer, and whoever named it does", async () => {
    const extensions = { "payment-identifier": { info: { required: false, id: newId("request") } } };
    const entry = byScheme(await askFor(), "exact");
    const signed = await transfer();
    const meta = payX402(entry, signed, extensions);
    expect((await call("report", meta)).isError).toBeUndefined();
    const stranger = await raw(callOf("report", payX402(entry, signed)));
    expect(stranger.json).toMatchObject({
      error: { code: -32_000, data: { httpStatus: 409, problem: { code: "already_settled" } } },
    });
    expect(stranger.body.toString()).not.toContain("Bern");
    const payer = await raw(callOf("report", meta));
    expect(payer.json).toMatchObject({ result: { content: [{ text: bern }] } });
    expect(world.ran()).toEqual(["report"]);
    expect(await world.moved()).toBe(1);
  });

  test.each(payers.slice(1, 5))("for one tool buys no other of the same price, by %s", async (_, pay) => {
    const meta = await pay(world, await askFor());
    const { json } = await raw(callOf("sibling", meta));
    expect(json).toMatchObject(
      "x402/payment" in meta ? { result: { isError: true } } : { error: { code: -32_043 } },
    );
    expect(world.ran()).toEqual([]);
    await nothingTaken();
  });

  test.each(payers.slice(2, 6))("for some arguments buys no others, by %s", async (_, pay) => {
    const meta = await pay(world, await askFor());
    const { json } = await raw(callOf("report", meta, { city: "Basel" }));
    expect(json).not.toHaveProperty("result.content[0].text", 'report {"city":"Basel"}');
    expect(world.ran()).toEqual([]);
    await nothingTaken();
  });

  test("of a page is none of a call, and the other way round", async () => {
    const page = await world.ask("/demo/query", { method: "POST", body: "x" });
    const entry = entryFor(page, "exact");
    const { json } = await raw(callOf("report", payX402(entry, await transfer())));
    expect(json).toMatchObject({ result: { isError: true } });
    const meta = await byTransfer(world, await askFor());
    const headers = {
      "PAYMENT-SIGNATURE": Buffer.from(JSON.stringify(meta["x402/payment"])).toString("base64"),
    };
    expect((await world.ask("/demo/query", { method: "POST", body: "x", headers })).status).toBe(402);
    await nothingTaken();
  });

  test("that fails is answered with fresh terms and with why, in the words in which it came", async () => {
    const poor = await transfer({ value: 1n });
    const unpaid = await askFor();
    const x402 = await raw(callOf("report", payX402(byScheme(unpaid, "exact"), poor)));
    expect(x402.json).toMatchObject({
      result: { structuredContent: { error: "invalid_exact_evm_payload_authorization_value_mismatch" } },
    });
    const forged = { ...byMethod(unpaid, "oid4ac"), id: "0".repeat(43) };
    const mpp = await raw(callOf("report", payMpp(forged, present(world, byScheme(unpaid, "mandate")))));
    expect(mpp.json).toMatchObject({
      error: {
        code: -32_043,
        data: { challenges: expect.any(Array), failure: { reason: "challenge_invalid" } },
      },
    });
    expect(world.ran()).toEqual([]);
  });

  const malformed: readonly [string, JsonObject][] = [
    ["a text for a payment", { "x402/payment": "e30=" }],
    ["a payment without a payload", { "x402/payment": { x402Version: 2, accepted: {} } }],
    ["a payment of another version", { "x402/payment": { x402Version: 7 } }],
    ["a credential without a challenge", { "org.paymentauth/credential": { payload: {} } }],
    [
      "a request in base64url, as over HTTP",
      { "org.paymentauth/credential": { challenge: { id: "a", request: "e30" }, payload: {} } },
    ],
    [
      "both conventions at once",
      { "x402/payment": { spt: "spt_1" }, "org.paymentauth/credential": { challenge: { request: {} } } },
    ],
  ];
  test.each(malformed)("V05 that is no payment is told as such: %s", async (_, meta) => {
    const { status, json } = await raw(callOf("report", meta));
    expect([status, (json["error"] as JsonObject | undefined)?.["code"]]).toEqual([200, -32_602]);
    expect(world.ran()).toEqual([]);
  });

  test("V05 that comes twice, in params and beside them, is none", async () => {
    const meta = await byMandate(world, await askFor());
    const { json } = await raw({ ...callOf("report", meta), _meta: meta });
    expect(json).toMatchObject({
      error: { code: -32_602, data: { problem: { code: "credential_ambiguous" } } },
    });
    const beside = await raw({ ...callOf("report"), _meta: meta });
    expect(beside.json).toMatchObject({ result: { content: [{ type: "text" }] } });
    expect(beside.json).not.toHaveProperty("result.isError");
  });
});

describe("G11 the doors of a shop that sells tools", () => describeDoors(() => world));
