import type { ServerResponse } from "node:http";
import { systemClock, toNumericDate } from "@remit/kernel";
import { openChain } from "@remit/rails/x402";
import { eventually, type SandboxChain, testChain } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { entryFor, network, payByTransfer, transfer, transferWay, version2 } from "./payers.ts";
import { obliging, type Remote, type RemoteCall, says, startRemote } from "./remote-facilitator.ts";
import { startWorld, type World } from "./world.ts";

let sandbox: SandboxChain;
let remote: Remote;

beforeAll(async () => {
  sandbox = await testChain();
  remote = await startRemote(openChain({ chainId: sandbox.chainId, rpcUrl: sandbox.rpc }));
});
afterAll(() => Promise.all([remote.close(), sandbox.stop()]));
beforeEach(() => {
  remote.answer = obliging;
  remote.calls.length = 0;
});

const transferTopic = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
const transfers = async (): Promise<number> => {
  const payTo = `0x${transferWay.pay_to.slice(2).toLowerCase().padStart(64, "0")}`;
  const filter = { fromBlock: "0x0", address: sandbox.usdc, topics: [transferTopic, null, payTo] };
  return ((await sandbox.call("eth_getLogs", [filter])) as unknown[]).length;
};

describe("a shop that is paid through somebody else's facilitator", () => {
  let world: World;
  let moved: number;
  beforeAll(async () => {
    world = await startWorld({
      payments: { facilitator: { url: remote.origin } },
      ways: [transferWay],
      more: { chains: { rpcUrls: { [network]: sandbox.rpc } }, outboundAllow: [new URL(remote.origin).host] },
    });
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    await world.database.asAdmin(`truncate ${world.database.schema}.claims cascade`);
    world.upstream.requests.length = 0;
    // What a payer signs is in time, however far an earlier test let our time pass.
    world.clock.set(systemClock.now());
    world.upstream.answer = (_, res) => void res.end("the report");
    moved = await transfers();
  });

  const payer = "a-secret-of-the-payers";
  const paying = async () => ({ headers: await payByTransfer(await world.ask("/demo/report"), payer) });
  /** Sends the payment and is cut off, before a block has it. */
  const cutOff = async ({ path, send }: RemoteCall, res: ServerResponse): Promise<void> => {
    if (path === "/verify") return says(res, { isValid: true });
    await send();
    res.destroy();
  };
  /** Recovery has looked at the claim, and comes again. */
  const lookedAt = (): Promise<void> =>
    eventually(async () => {
      world.clock.advance(60_000);
      const [claim] = await world.database.asAdmin<{ generation: string }>(
        `select generation::text from ${world.database.schema}.claims`,
      );
      expect(Number(claim?.generation)).toBeGreaterThan(2);
    });
  const ended = (state: string): Promise<void> =>
    eventually(async () => {
      world.clock.advance(60_000);
      expect(await world.claims()).toMatchObject([{ state }]);
    });

  test("M09 paid first and cut off while the transfer is under way, the goods are owed and the payer gets them", async () => {
    await world.writeOffers({ route: { settle: "before" } });
    await world.gateway.reload();
    const request = await paying();
    await sandbox.call("evm_setAutomine", [false]);
    remote.answer = cutOff;
    expect((await world.ask("/demo/report", request)).status).toBe(503);
    await lookedAt();
    const [claim] = await world.claims();
    expect(["capturing", "releasing"]).toContain(claim?.state);
    await sandbox.call("evm_setAutomine", [true]);
    await sandbox.call("anvil_mine", ["0x1"]);
    await ended("owed");
    expect(world.upstream.requests).toEqual([]);
    const redeemed = await world.ask("/demo/report", request);
    expect([redeemed.status, redeemed.body.toString()]).toEqual([200, "the report"]);
    expect((await transfers()) - moved).toBe(1);
    await world.writeOffers();
    await world.gateway.reload();
  });

  test("M09 a no to the second call is not the fate of what the first has sent: the answer is kept and delivered", async () => {
    const request = await paying();
    await sandbox.call("evm_setAutomine", [false]);
    remote.answer = async (call, res) => {
      await cutOff(call, res);
      if (call.path !== "/settle") return;
      const errorReason = "invalid_exact_evm_insufficient_balance";
      remote.answer = (_, next) => says(next, { success: false, errorReason });
    };
    expect((await world.ask("/demo/report", request)).status).toBe(503);
    await lookedAt();
    const [claim] = await world.claims();
    expect(claim?.state).toBe("capturing");
    await sandbox.call("evm_setAutomine", [true]);
    await sandbox.call("anvil_mine", ["0x1"]);
    await ended("captured");
    const again = await world.ask("/demo/report", request);
    expect([again.status, again.body.toString()]).toEqual([200, "the report"]);
    expect(world.upstream.requests).toHaveLength(1);
    expect((await transfers()) - moved).toBe(1);
  });

  const lies: readonly [string, (call: RemoteCall) => object | Promise<object>][] = [
    ["takes its yes back when it settles", () => ({ success: false, errorReason: "no_gas" })],
    ["says that it has settled, and names nothing", () => ({ success: true })],
    ["names a transaction that is none", () => ({ success: true, transaction: `0x${"ab".repeat(32)}` })],
    ["names the transfer of somebody else", () => ({ success: true, transaction: paidBefore })],
  ];
  let paidBefore: string | undefined;

  test.each(lies)(
    "D08 a facilitator that %s has not paid: not a byte of the goods leaves",
    async (_, settle) => {
      // A purchase of before, of the same goods at the same price, that was paid.
      remote.answer = async (call, res) => {
        if (call.path === "/verify") return says(res, { isValid: true });
        paidBefore = await call.send();
        says(res, { success: true, transaction: paidBefore });
      };
      expect((await world.ask("/demo/report", await paying())).status).toBe(200);
      await world.database.asAdmin(`truncate ${world.database.schema}.claims cascade`);
      moved = await transfers();
      const request = await paying();
      remote.answer = async (call, res) =>
        says(res, call.path === "/verify" ? { isValid: true } : await settle(call));
      const answer = await world.ask("/demo/report", request);
      expect(answer.status).not.toBe(200);
      expect(answer.body.toString()).not.toContain("the report");
      expect(await transfers()).toBe(moved);
      // Told the same again, it is not believed the second time either.
      const again = await world.ask("/demo/report", request);
      expect(again.status).not.toBe(200);
      expect(again.body.toString()).not.toContain("the report");
      expect((await world.claims()).map(({ state }) => state)).not.toContain("captured");
    },
  );

  test("M11 what was never asked to be captured is released at once when the upstream fails", async () => {
    const request = await paying();
    world.upstream.answer = (_, res) => void res.writeHead(500).end("broken");
    expect((await world.ask("/demo/report", request)).status).toBe(500);
    expect(await world.claims()).toMatchObject([{ state: "released" }]);
    expect(remote.calls.map(({ path }) => path)).toEqual(["/verify"]);
  });

  test("a signature that is good long after anybody waits for it is refused, whatever the facilitator would take", async () => {
    const unpaid = await world.ask("/demo/report");
    for (const validBefore of [toNumericDate(systemClock.now()) + 7_200, Number.MAX_SAFE_INTEGER]) {
      const headers = version2(entryFor(unpaid, "exact"), await transfer({ validBefore }));
      const answer = await world.ask("/demo/report", { headers });
      expect(answer.status).toBe(402);
      expect(answer.body.toString()).toContain("invalid_exact_evm_payload_authorization_valid_before");
    }
    expect(remote.calls).toEqual([]);
    expect(await world.claims()).toEqual([]);
  });
});
