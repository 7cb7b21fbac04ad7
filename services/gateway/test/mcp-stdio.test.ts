import { writeFile } from "node:fs/promises";
import path from "node:path";
import { type JsonObject, mandatePayload } from "@remit/protocol";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { toolRoute } from "./mcp-world.ts";
import { byScheme, callOf, connectTo, payX402, rpc, unpaidOf } from "./tool-server.ts";
import { type Agent, createAgent, startWorld, type World } from "./world.ts";

// A real program of the official library behind the gateway, and the official client before it.
const program = path.resolve(import.meta.dirname, "stdio-tools.ts");
const upstream = "stdio:tools";

let world: World;
let agent: Agent;

const write = async (change: { servers?: object[]; routes?: object[] } = {}): Promise<void> => {
  const free = { gate: "free", amount_minor: undefined, currency: undefined, ways: undefined };
  const ways = [{ rail: "mandate" }];
  await world.writeOffers({
    more: [
      ...["add", "die", "hang", "fails", "block"].map((tool) => toolRoute(tool, upstream, { ways })),
      ...["env", "ask"].map((tool) => toolRoute(tool, upstream, { ...free })),
      ...(change.routes ?? []),
    ],
    servers: change.servers ?? [
      { id: "tools", command: process.execPath, args: [program], env: { GIVEN: "1" } },
    ],
  });
};

beforeAll(async () => {
  world = await startWorld({ more: { programEnv: { LANG: "C" } } });
  await write();
  await world.gateway.reload();
  agent = createAgent(world);
});

afterAll(async () => {
  await world.close();
});

beforeEach(async () => {
  await world.database.asAdmin(`truncate ${world.database.schema}.claims cascade`);
  world.issuer.charges.clear();
});

const raw = async (message: unknown): Promise<JsonObject> =>
  JSON.parse((await world.ask("/mcp", rpc(message))).body.toString());
const states = async (): Promise<string[]> => (await world.claims()).map(({ state }) => state);

async function buy(name: string): Promise<JsonObject> {
  const unpaid = unpaidOf((await raw(callOf(name)))["result"]);
  const entry = byScheme(unpaid, "mandate");
  return await raw(callOf(name, payX402(entry, mandatePayload(agent.present(entry)))));
}

describe("a program that is sold by its tools", () => {
  test("is spoken to as any server, and each call is paid", async () => {
    const client = await connectTo(world.address);
    expect(client.getServerVersion()).toMatchObject({ name: "program" });
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(["add", "die", "hang", "fails", "env", "ask", "block"]);
    const unpaid = await client.callTool({ name: "add", arguments: { a: 1 } });
    expect(unpaid.isError).toBe(true);
    const entry = byScheme(unpaidOf(unpaid), "mandate");
    const meta = payX402(entry, mandatePayload(agent.present(entry)));
    const paid = await client.callTool({ name: "add", arguments: { a: 1 }, _meta: meta });
    expect(paid.content).toEqual([{ type: "text", text: '1 {"a":1}' }]);
    expect(paid._meta?.["x402/payment-response"]).toMatchObject({ success: true });
    expect(await states()).toEqual(["captured"]);
    await client.close();
  });

  test("M11 a tool of it that fails, hangs or takes the program with it releases the money, and the next call finds it well", async () => {
    expect(await buy("fails")).toMatchObject({ result: { isError: true } });
    expect(await buy("hang")).toMatchObject({ error: { code: -32_603, data: { httpStatus: 504 } } });
    // What hangs is one call: the program still answers others.
    expect(await buy("add")).toMatchObject({ result: { content: [{ text: '4 {"city":"Bern"}' }] } });
    expect(await buy("die")).toMatchObject({ error: { code: -32_603, data: { httpStatus: 502 } } });
    world.clock.advance(2000);
    expect(await buy("add")).toMatchObject({ result: { content: [{ text: '1 {"city":"Bern"}' }] } });
    expect(await states()).toEqual(["released", "released", "captured", "released", "captured"]);
  });

  test("M11 a program that hangs whole is ended and started anew, and whoever waited for it is told and not charged", async () => {
    const blocked = buy("block");
    await eventually(async () => expect(await states()).toEqual(["serving"]));
    for (const answer of await Promise.all([blocked, buy("add"), buy("add")])) {
      // In time for its call, or while it was ended, or before it was started anew.
      const { error } = answer as { error?: { code: number; data: { httpStatus: number } } };
      expect(error?.code).toBe(-32_603);
      expect([502, 503, 504]).toContain(error?.data.httpStatus);
    }
    expect((await states()).every((state) => state === "released")).toBe(true);
    await eventually(async () => {
      world.clock.advance(2000);
      expect(await buy("add")).toMatchObject({ result: { content: [{ text: '1 {"city":"Bern"}' }] } });
    });
    expect((await states()).filter((state) => state === "captured")).toHaveLength(1);
    expect((await states()).every((state) => state === "captured" || state === "released")).toBe(true);
    expect([...world.issuer.charges.values()].filter(({ status }) => status === "captured")).toHaveLength(1);
  });

  test("C03 20 at once with one payment are one call of it", async () => {
    const unpaid = unpaidOf((await raw(callOf("add")))["result"]);
    const entry = byScheme(unpaid, "mandate");
    const meta = payX402(entry, mandatePayload(agent.present(entry)));
    const before = Number(/\d+/.exec(JSON.stringify((await buy("add"))["result"]))?.[0]);
    await Promise.all(Array.from({ length: 20 }, () => raw(callOf("add", meta))));
    const after = Number(/\d+/.exec(JSON.stringify((await buy("add"))["result"]))?.[0]);
    expect(after - before).toBe(2);
  });

  test("sees nothing of what the gateway is trusted with, and asks nobody anything", async () => {
    expect(await raw(callOf("env"))).toMatchObject({ result: { content: [{ text: "GIVEN LANG" }] } });
    expect(await raw(callOf("ask"))).toMatchObject({ result: { content: [{ text: "-32601" }] } });
    expect(await raw({ jsonrpc: "2.0", id: 1, method: "logging/setLevel", params: {} })).toMatchObject({
      error: { code: -32_601 },
    });
    for (const method of ["GET", "DELETE"] as const)
      expect((await world.ask("/mcp", { method })).status).toBe(405);
  });

  test.each([
    ["a server that the file does not have", { servers: [] }, "no server of the file is named stdio:tools"],
    [
      "a program without tools",
      { routes: [{ ...toolRoute("add", upstream), id: "bare", path: "/bare", tool: undefined }] },
      "a program is sold by its tools alone",
    ],
    [
      "a tool twice",
      { routes: [toolRoute("add", upstream, { id: "again" })] },
      "routes tool-add and again sell the same requests",
    ],
    [
      "a server of two upstreams",
      { routes: [toolRoute("other", "http://127.0.0.1:1", { id: "other" })] },
      "sell the same requests",
    ],
    [
      "a page at the server's address",
      { routes: [{ ...toolRoute("x", "http://127.0.0.1:1"), id: "page", tool: undefined, method: "GET" }] },
      "sell the same requests",
    ],
    [
      "a tool behind an open path",
      { routes: [toolRoute("x", upstream, { path: "/m/:any" })] },
      "no open part",
    ],
    ["a tool that is asked by GET", { routes: [toolRoute("x", upstream, { method: "GET" })] }, "by POST"],
  ])("%s is refused in the offers file, and the former offers stay", async (_, change, because) => {
    await write(change);
    await expect(world.gateway.reload()).rejects.toThrow(because);
    expect(await raw(callOf("add"))).toMatchObject({ result: { isError: true } });
    await writeFile(world.offersFile, "{}");
  });
});
