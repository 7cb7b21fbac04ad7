import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { startProcess, switchesOf } from "./index.ts";

const main = fileURLToPath(new URL("../../sandbox/src/main.ts", import.meta.url));

test("a sandbox killed with -9 right after its answer has not forgotten what it answered", async () => {
  const dataDir = mkdtempSync(path.join(tmpdir(), "remit-sandbox-kill-"));
  const start = async () => {
    const running = await startProcess({
      main,
      env: { REMIT_PORT: "0", REMIT_DATA_DIR: dataDir },
      readyWhen: /"ready":true/,
    });
    const { origin }: { origin: string } = JSON.parse(await running.line(/"ready":true/));
    return { running, origin };
  };
  const before = await start();
  const create = (origin: string) =>
    fetch(`${origin}/v1/payment_intents`, {
      method: "POST",
      headers: { authorization: "Bearer sk_test_kill", "idempotency-key": "one" },
      body: "amount=500&currency=usd&metadata[charge]=chg_kill",
    });
  const { id }: { id: string } = JSON.parse(await (await create(before.origin)).text());
  await before.running.kill();

  const after = await start();
  expect(await switchesOf(() => after.origin).paymentIntents({ charge: "chg_kill" })).toMatchObject([{ id }]);
  const again = await create(after.origin);
  expect(again.headers.get("idempotent-replayed")).toBe("true");
  await after.running.kill();
  rmSync(dataDir, { recursive: true, force: true });
});
