import path from "node:path";
import { eventually, startProcess, type TestProcess } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, createAgent, entryOf, send, startWorld, type World } from "./world.ts";

// The gateway as the process that it is in production, killed as by the kernel, and started again on the same data.
const main = path.resolve(import.meta.dirname, "../src/main.ts");

let world: World;
let running: TestProcess | undefined;

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
  const env = {
    NODE_ENV: "test",
    DATABASE_URL: world.database.url,
    REMIT_ORIGIN: "http://gateway.test",
    REMIT_ISSUER: world.issuer.origin,
    REMIT_PORT: "0",
    REMIT_SCHEMA: world.database.schema,
    REMIT_ROLE_APP: world.database.roles.app,
    REMIT_ROLE_RELAY: world.database.roles.relay,
    REMIT_ROLE_LOOKUP: world.database.roles.lookup,
    REMIT_DATA_DIR: world.dataDir,
    REMIT_OUTBOUND_ALLOW: new URL(world.issuer.origin).host,
    REMIT_OFFERS_FILE: world.offersFile,
    REMIT_FAILPOINT: `${failpoint}:kill9`,
  };
  running = await startProcess({ main, env, readyWhen: /"listening"/ });
  let address = addressOf(running);
  return {
    ask: (headers = {}) => send(address, "/demo/report", { headers }),
    restart: async () => {
      running = await running?.restart({ ...env, REMIT_FAILPOINT: "" });
      if (running !== undefined) address = addressOf(running);
    },
  };
}

const addressOf = (started: TestProcess): string => {
  const found = /"bound":"([^"]+)"/.exec(started.output())?.[1];
  if (found === undefined) throw new Error("the gateway did not say where it listens");
  return found;
};

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
