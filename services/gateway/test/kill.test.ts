import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GatewayProcess, startGatewayProcess } from "./gateway-process.ts";
import { type Answer, createAgent, entryOf, startWorld, type World } from "./world.ts";

// The gateway as the process that it is in production, killed as by the kernel, and started again on the same data.
let world: World;
let running: GatewayProcess | undefined;

beforeAll(async () => {
  world = await startWorld({ realTime: true });
  await world.gateway.close();
});

afterAll(async () => {
  await running?.kill();
  await world.close();
});

type Killed = {
  readonly ask: (headers?: Record<string, string>) => Promise<Answer>;
  restart(): Promise<void>;
};

async function startGateway(failpoint: string): Promise<Killed> {
  await running?.kill();
  let gateway = await startGatewayProcess(world, { failpoint: `${failpoint}:kill9` });
  running = gateway;
  return {
    ask: (headers = {}) => gateway.ask("/demo/report", { headers }),
    restart: async () => {
      await gateway.kill();
      gateway = await startGatewayProcess(world);
      running = gateway;
    },
  };
}

const statuses = (): string[] => [...world.issuer.charges.values()].map(({ status }) => status);

/** Dies at the failpoint while a buyer waits; answers what the buyer had sent. */
async function dieAt(name: string): Promise<{ gateway: Killed; headers: Record<string, string> }> {
  await world.database.asAdmin(`truncate ${world.database.schema}.claims cascade`);
  world.issuer.charges.clear();
  world.issuer.calls.length = 0;
  world.upstream.requests.length = 0;
  const gateway = await startGateway(name);
  const headers = createAgent(world).pay(await gateway.ask());
  await expect(gateway.ask(headers)).rejects.toThrow();
  expect(await running?.exited).toMatchObject({ signal: "SIGKILL" });
  await gateway.restart();
  return { gateway, headers };
}

describe("kill -9, and start again", () => {
  test.each([
    ["M01", "gateway.claimed", 0],
    ["M03", "gateway.charged", 0],
    ["M04", "gateway.serving", 0],
    ["M05", "gateway.served", 1],
    ["M06", "gateway.capturing", 1],
  ])("%s at %s: nobody pays, nothing is delivered, the buyer buys anew", async (_, name, calls) => {
    const { gateway, headers } = await dieAt(name);
    await eventually(async () => expect(await world.claims()).toMatchObject([{ state: "released" }]));
    expect(statuses()).toEqual(["released"]);
    expect(world.upstream.requests).toHaveLength(calls);
    const again = await gateway.ask(headers);
    expect(again.status).toBe(402);
    expect((await gateway.ask(createAgent(world).pay(again))).status).toBe(200);
    expect(statuses()).toEqual(["released", "captured"]);
  });

  test("M08 at gateway.captured: the same credential gets the stored answer and its receipt", async () => {
    const { gateway, headers } = await dieAt("gateway.captured");
    const answer = await gateway.ask(headers);
    expect([answer.status, answer.body.toString()]).toEqual([200, "the report"]);
    expect(answer.headers).toMatchObject({ "idempotent-replayed": "true" });
    expect(answer.headers).toHaveProperty("remit-receipt");
    expect(statuses()).toEqual(["captured"]);
    expect(world.upstream.requests).toHaveLength(1);
  });

  test("SIGHUP reads the offers again, SIGTERM ends it in order", async () => {
    const gateway = await startGateway("gateway.none");
    await world.writeOffers({ amountMinor: 777 });
    process.kill(running?.pid ?? 0, "SIGHUP");
    await eventually(async () => expect(entryOf(await gateway.ask()).amount).toBe("777"));
    expect(await running?.kill("SIGTERM")).toEqual({ code: 0, signal: null });
    await world.writeOffers();
  });
});
