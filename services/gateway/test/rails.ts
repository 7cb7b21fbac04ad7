import { systemClock } from "@remit/kernel";
import { createX402Engine, openChain } from "@remit/rails/x402";
import {
  chainFacilitator,
  type SandboxChain,
  type TestSandbox,
  testChain,
  testSandbox,
} from "@remit/testkit";
import { createEngines } from "../src/charging/index.ts";
import { cardWay, transferWay } from "./payers.ts";
import { startWorld, type World, type WorldOptions } from "./world.ts";

/** A world whose shop is also paid by card, at a sandbox of Stripe's, and by transfers on a chain. */
export type RailsWorld = World & {
  readonly sandbox: TestSandbox;
  readonly chain: SandboxChain;
  /** Transactions that moved money to the seller, from this block on. */
  transfers(): Promise<number>;
};

const transferTopic = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";

export async function startRailsWorld(options: WorldOptions = {}): Promise<RailsWorld> {
  const [sandbox, chain] = await Promise.all([testSandbox(), testChain()]);
  const at = openChain({ chainId: chain.chainId, rpcUrl: chain.rpc });
  const { facilitator } = chainFacilitator(at);
  const transfers = createX402Engine({ facilitator, chain: at });
  const engines = createEngines({
    clock: systemClock,
    facilitators: {
      engineOf: () => transfers,
      settlerOn: () => undefined,
      chainOn: () => undefined,
      hereOn: () => undefined,
      mount: () => undefined,
    },
    offers: () => new Map(),
  });
  const world = await startWorld({
    payments: { stripe: { secret_key: sandbox.stripe.apiKey, origin: sandbox.origin } },
    ways: [{ rail: "mandate" }, cardWay, transferWay],
    engines,
    ...options,
  });
  const payTo = `0x${transferWay.pay_to.slice(2).toLowerCase().padStart(64, "0")}`;
  return {
    ...world,
    get gateway() {
      return world.gateway;
    },
    get address() {
      return world.address;
    },
    sandbox,
    chain,
    transfers: async () => {
      const filter = { fromBlock: "0x0", toBlock: "latest", topics: [transferTopic, null, payTo] };
      const logs: unknown = await chain.call("eth_getLogs", [{ ...filter, address: chain.usdc }]);
      return Array.isArray(logs) ? logs.length : 0;
    },
    close: async () => {
      await world.close();
      await Promise.all([sandbox.close(), chain.stop()]);
    },
  };
}
