import { newId, Secret } from "@remit/kernel";
import { eventually, type SandboxChain, sandboxKeys, testChain } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { network, payByTransfer, transferWay } from "./payers.ts";
import { startWorld, type World } from "./world.ts";

// A shop that waits until a transfer is three blocks deep.
let chain: SandboxChain;
let world: World;

beforeAll(async () => {
  chain = await testChain();
  world = await startWorld({
    realTime: true,
    ways: [{ ...transferWay, confirmations: 3 }],
    more: {
      patienceMs: 60_000,
      chains: {
        rpcUrls: { [network]: chain.rpc },
        facilitatorKey: new Secret(sandboxKeys.facilitator),
        settleMs: 60_000,
        outbidMs: 1_000,
      },
    },
  });
});
afterAll(async () => {
  await world.close();
  await chain.stop();
});

const transferTopic = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
const payTo = `0x${transferWay.pay_to.slice(2).toLowerCase().padStart(64, "0")}`;
const transfers = async (): Promise<number> => {
  const filter = { fromBlock: "0x0", address: chain.usdc, topics: [transferTopic, null, payTo] };
  return ((await chain.call("eth_getLogs", [filter])) as unknown[]).length;
};

test("M17 a transfer that is undone before it is deep enough has paid for nothing: it is made again, and delivered when it is deep", async () => {
  const before = await chain.call("evm_snapshot", []);
  const headers = await payByTransfer(await world.ask("/demo/report"), newId("request"));
  let delivered = false;
  const asked = world.ask("/demo/report", { headers }).finally(() => {
    delivered = true;
  });
  await eventually(async () => expect(await transfers()).toBe(1));
  await chain.call("evm_revert", [before]);
  expect(await transfers()).toBe(0);
  expect(delivered).toBe(false);
  expect(await world.claims()).toMatchObject([{ state: "capturing" }]);
  // By the same bytes, or others with the same authorization.
  await eventually(async () => expect(await transfers()).toBe(1));
  expect(delivered).toBe(false);
  await chain.call("anvil_mine", ["0x1"]);
  expect(await world.claims()).toMatchObject([{ state: "capturing" }]);
  await chain.call("anvil_mine", ["0x1"]);
  const answer = await asked;
  expect([answer.status, answer.body.toString()]).toEqual([200, "the report"]);
  expect(await world.claims()).toMatchObject([{ state: "captured" }]);
  expect(world.upstream.requests).toHaveLength(1);
  expect(await transfers()).toBe(1);
});
