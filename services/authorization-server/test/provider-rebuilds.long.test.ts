import { setTimeout as pause } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { sql } from "@remit/platform/sql";
import { expect, test } from "vitest";
import { Provider } from "../src/oidc/seam.ts";
import { adminSecret, startServer } from "./running.ts";

const rebuilds = 200;
const clients = 2;
const oneLookMs = 1_000;
/** What the heap may grow by in the later four fifths of them: a provider that stays takes 0.3 MB and more. */
const growthBytesMax = 8 * 1024 * 1024;

test("K01 two hundred providers, one per change of a key, are built under load: each goes when its requests have, and none of those fails", async () => {
  const running = await startServer({}, { issuance: false });
  setFlagsFromString("--expose_gc");
  const collect: () => void = runInNewContext("gc");
  const built: WeakRef<Provider>[] = [];
  let heard: () => void = () => undefined;
  // Each provider is asked for its callback once.
  const callback: (this: Provider) => ReturnType<Provider["callback"]> = Reflect.get(
    Provider.prototype,
    "callback",
  );
  Provider.prototype.callback = function (this: Provider) {
    built.push(new WeakRef(this));
    heard();
    return callback.call(this);
  };
  const stop = new AbortController();
  const statuses = new Map<number, number>();
  const basic = `Basic ${Buffer.from(`${running.adminId}:${adminSecret}`).toString("base64")}`;
  const form = { grant_type: "client_credentials", scope: "agents:read", resource: running.issuer };
  const asking = Array.from({ length: clients }, async () => {
    while (!stop.signal.aborted) {
      const answer = await fetch(`${running.issuer}/oauth/token`, {
        method: "POST",
        headers: { authorization: basic },
        body: new URLSearchParams(form),
      });
      await answer.text();
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    }
  });
  // One key changes its state to and fro: what there is of keys stays as much as it was.
  const db = running.database.open();
  const change = (state: string): Promise<void> =>
    db.global.transaction(async (tx) => {
      await tx.run(sql`update signing_keys set state = ${state} where purpose = 'client'`);
      tx.notify("signing_keys");
    });
  let changes = 0;
  const nextState = (): string => (changes++ % 2 === 0 ? "next" : "current");
  const heap = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  let before = 0;
  for (let count = 1; count <= rebuilds; count++) {
    const next = new Promise<void>((resolve) => {
      heard = resolve;
    });
    await change(nextState());
    // Two changes that are read at once may be none; then there is another.
    while ((await Promise.race([next.then(() => true), pause(oneLookMs)])) !== true)
      await change(nextState());
    if (count === rebuilds / 5) before = heap();
  }
  stop.abort();
  await Promise.all(asking);
  const grownBytes = heap() - before;
  const left = built.filter((one) => one.deref() !== undefined).length;
  process.stdout.write(
    `rebuilds: ${JSON.stringify({ rebuilds: built.length, left, grownBytes, ...Object.fromEntries(statuses) })}\n`,
  );
  Provider.prototype.callback = callback;
  await running.close();
  expect([...statuses.keys()]).toEqual([200]);
  expect(built.length).toBeGreaterThanOrEqual(rebuilds);
  expect(left).toBeLessThanOrEqual(clients + 1);
  expect(grownBytes).toBeLessThan(growthBytesMax);
}, 600_000);
