import { rm } from "node:fs/promises";
import { Secret } from "@remit/kernel";
import {
  eventually,
  type IntentAtSandbox,
  type SandboxChain,
  sandboxKeys,
  type TestSandbox,
  testChain,
  testSandbox,
} from "@remit/testkit";
import { expect } from "vitest";
import {
  type GatewayPlace,
  type GatewayProcess,
  type GatewayProcessOptions,
  replicaOf,
  startGatewayProcess,
} from "./gateway-process.ts";
import { cardWay, network, transferWay } from "./payers.ts";
import { startWorld, type World } from "./world.ts";

/** A shop that takes mandates, cards and transfers, sold by gateways that are processes of their own. */
export type RailsProcesses = {
  readonly world: World;
  readonly sandbox: TestSandbox;
  readonly chain: SandboxChain;
  /** One more process: the first has the shop's own data directory, each other one a copy. */
  start(options?: GatewayProcessOptions): Promise<GatewayProcess>;
  /** The same process again, after it has ended. */
  startAgain(former: GatewayProcess, options?: GatewayProcessOptions): Promise<GatewayProcess>;
  /** What was taken since `forget`: transfers on the chain that went to the seller, and payments that Stripe captured. */
  taken(): Promise<{ readonly transfers: number; readonly cards: number; readonly charges: number }>;
  /** Payments at Stripe that hold a card's money. */
  held(): Promise<readonly IntentAtSandbox[]>;
  /** Empties the claims; whatever was taken until now counts no more. */
  forget(): Promise<void>;
  /** Nothing is open: no claim that recovery still has to end, no hold at Stripe, no settlement under way. */
  settled(): Promise<void>;
  close(): Promise<void>;
};

const transferTopic = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
const ended = ["captured", "released", "owed"];
const holding = ["requires_capture", "requires_confirmation", "requires_action", "processing"];

export async function startRailsProcesses(): Promise<RailsProcesses> {
  const [sandbox, chain] = await Promise.all([testSandbox(), testChain()]);
  const world = await startWorld({
    realTime: true,
    payments: { stripe: { secret_key: sandbox.stripe.apiKey, origin: sandbox.origin } },
    ways: [{ rail: "mandate" }, cardWay, transferWay],
    more: {
      chains: { rpcUrls: { [network]: chain.rpc }, facilitatorKey: new Secret(sandboxKeys.facilitator) },
    },
  });
  // It has made the keys that all share.
  await world.gateway.close();
  const settings = {
    REMIT_CHAINS: `${network}=${chain.rpc}`,
    REMIT_FACILITATOR_KEY: sandboxKeys.facilitator,
    REMIT_CAPTURE_GRACE_MS: "1000",
  };
  const running = new Map<GatewayProcess, GatewayPlace>();
  const places: GatewayPlace[] = [];
  const startAt = async (
    place: GatewayPlace,
    options: GatewayProcessOptions = {},
  ): Promise<GatewayProcess> => {
    const started = await startGatewayProcess(place, {
      ...options,
      settings: { ...settings, ...options.settings },
    });
    running.set(started, place);
    return started;
  };
  const payTo = `0x${transferWay.pay_to.slice(2).toLowerCase().padStart(64, "0")}`;
  const transfers = async (): Promise<number> => {
    const filter = { fromBlock: "0x0", address: chain.usdc, topics: [transferTopic, null, payTo] };
    return ((await chain.call("eth_getLogs", [filter])) as unknown[]).length;
  };
  const cards = async (): Promise<number> => (await sandbox.paymentIntents({ status: "succeeded" })).length;
  const charges = (): number =>
    [...world.issuer.charges.values()].filter(({ status }) => status === "captured").length;
  let before = { transfers: 0, cards: 0, charges: 0 };
  const held = async (): Promise<readonly IntentAtSandbox[]> =>
    (await sandbox.paymentIntents()).filter(({ status }) => holding.includes(status));
  return {
    world,
    sandbox,
    chain,
    start: async (options) => {
      const place = places.length === 0 ? world : await replicaOf(world);
      places.push(place);
      return await startAt(place, options);
    },
    startAgain: async (former, options) => {
      const place = running.get(former);
      if (place === undefined) throw new TypeError("this gateway was never started");
      running.delete(former);
      return await startAt(place, options);
    },
    taken: async () => ({
      transfers: (await transfers()) - before.transfers,
      cards: (await cards()) - before.cards,
      charges: charges() - before.charges,
    }),
    held,
    forget: async () => {
      await world.database.asAdmin(`truncate ${world.database.schema}.claims cascade`);
      await sandbox.heal();
      world.upstream.requests.length = 0;
      world.upstream.answer = (_, res) => void res.end("the report");
      before = { transfers: await transfers(), cards: await cards(), charges: charges() };
    },
    settled: () =>
      eventually(async () => {
        const claims = await world.claims();
        expect(claims.filter(({ state }) => !ended.includes(state))).toEqual([]);
        expect(await held()).toEqual([]);
        const open = `select from ${world.database.schema}.settlements where state = 'sent'`;
        expect(await world.database.asAdmin(open)).toEqual([]);
        const standing = [...world.issuer.charges.values()].map(({ status }) => status);
        expect(standing.filter((status) => status !== "captured" && status !== "released")).toEqual([]);
      }),
    close: async () => {
      await Promise.all([...running.keys()].map((gateway) => gateway.kill()));
      await world.close();
      await Promise.all([sandbox.close(), chain.stop()]);
      const copies = places.filter(({ dataDir }) => dataDir !== world.dataDir);
      await Promise.all(copies.map(({ dataDir }) => rm(dataDir, { recursive: true, force: true })));
    },
  };
}
