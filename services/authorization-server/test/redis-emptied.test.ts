import { createServer } from "node:net";
import { clientAssertionType } from "@remit/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newClient, read } from "./client.ts";
import { type Running, startServer, startWith } from "./running.ts";

/** A Redis that knows nothing: whatever it is asked for is not there, as after a restart or when it was short of memory. */
async function emptyRedis(): Promise<{ url: string; asked: () => number; close: () => Promise<void> }> {
  let asked = 0;
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", () => {
      asked += 1;
      socket.write("$-1\r\n");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  return {
    url: `redis://127.0.0.1:${port}`,
    asked: () => asked,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

let running: Running;
let redis: Awaited<ReturnType<typeof emptyRedis>>;
beforeAll(async () => {
  redis = await emptyRedis();
  running = await startServer({ redisUrl: redis.url });
});
afterAll(async () => {
  await running.close();
  await redis.close();
});

test("D06 what was used once is refused by every process whatever Redis remembers: the database's unique index has it", async () => {
  const agent = await newClient(running, "agent");
  await agent.learnNonce();
  const url = `${running.issuer}/oauth/token`;
  const sent = (assertion: string, dpop: string) => ({
    method: "POST",
    headers: { dpop },
    body: new URLSearchParams({
      grant_type: "client_credentials",
      client_id: agent.id,
      client_assertion_type: clientAssertionType,
      client_assertion: assertion,
    }),
  });
  const [assertion, proof] = [agent.assertion(), agent.proof(url)];
  const used = sent(assertion, proof);
  expect((await fetch(url, used)).status).toBe(200);
  // Another process, that has just started, with another Redis that is as empty.
  const [other, origin] = [await emptyRedis(), running.issuer];
  const second = await startWith(running.database, {
    origin,
    issuer: origin,
    dataDir: running.dataDir,
    redisUrl: other.url,
  });
  try {
    for (const at of [running.issuer, second.issuer]) {
      const again = (assertionNow: string, proofNow: string) =>
        fetch(`${at}/oauth/token`, sent(assertionNow, proofNow)).then(read);
      expect((await again(assertion, proof)).body).toMatchObject({ error: "invalid_client" });
      expect((await again(assertion, agent.proof(url))).body).toMatchObject({ error: "invalid_client" });
      expect((await again(agent.assertion(), proof)).status).toBe(400);
      expect((await again(agent.assertion(), agent.proof(url))).status).toBe(200);
    }
  } finally {
    await second.close();
    await other.close();
  }
  expect(redis.asked()).toBeGreaterThan(0);
  const unique = await running.database.asAdmin(
    "select 1 from pg_indexes where tablename = 'first_uses' and indexdef like 'CREATE UNIQUE INDEX % (key)%'",
  );
  expect(unique.length).toBeGreaterThan(0);
});
