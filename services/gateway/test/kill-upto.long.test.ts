import { newId, systemClock, toNumericDate } from "@remit/kernel";
import { eventually, sandboxAddresses, signPermit } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { GatewayProcess } from "./gateway-process.ts";
import { entryFor, type Headers, version2 } from "./payers.ts";
import { type RailsProcesses, startRailsProcesses } from "./rails-process.ts";
import { merchantId } from "./world.ts";

// Prices by use on a chain (`upto`), by a gateway that is killed as by the kernel at each step.
let shop: RailsProcesses;
let gateway: GatewayProcess;

beforeAll(async () => {
  shop = await startRailsProcesses();
  const { world, chain } = shop;
  const asset = { address: chain.usdc, decimals: 6, name: "USDC", version: "2" };
  const byUse = {
    id: "bytes",
    merchant: merchantId,
    method: "GET",
    path: "/bytes",
    upstream: world.upstream.origin,
    currency: "USD",
    name: "bytes",
    sku: "bytes",
    metered: { unit: "mb", unit_price: "1.00", ceiling_minor: 300, least_minor: 1 },
    ways: [{ rail: "x402", network: "eip155:84532", asset, pay_to: sandboxAddresses.seller }],
  };
  await world.writeOffers({ more: [byUse] });
  gateway = await shop.start();
});
afterAll(() => shop.close());
beforeEach(() => shop.forget());

const restart = async (failpoint?: string): Promise<void> => {
  await gateway.kill("SIGTERM");
  gateway = await shop.startAgain(gateway, failpoint === undefined ? {} : { failpoint });
};
/** kill -9, and up again. */
async function die(): Promise<void> {
  expect(await gateway.kill("SIGKILL")).toMatchObject({ signal: "SIGKILL" });
  gateway = await shop.startAgain(gateway);
}

const balanceOf = async (owner: string): Promise<bigint> => {
  const data = `0x70a08231${owner.slice(2).padStart(64, "0")}`; // balanceOf(address)
  return BigInt(String(await shop.chain.call("eth_call", [{ to: shop.chain.usdc, data }, "latest"])));
};
const rowsOf = <R extends object>(text: string): Promise<R[]> =>
  shop.world.database.asAdmin<R>(text.replaceAll("$schema", shop.world.database.schema));

describe("kill -9 of a price by use on a chain (upto): what was used moves once", () => {
  const bytes = 900_001;
  const used = 910_000n;

  async function permitted(): Promise<Headers> {
    const validBefore = toNumericDate(systemClock.now()) + 280;
    const { payload } = await signPermit({ value: 3_000_000n, validBefore });
    return version2(entryFor(await gateway.ask("/bytes"), "upto"), payload, newId("request"));
  }

  test.each([
    ["gateway.charged", "serving"],
    ["gateway.capturing", "capturing"],
    ["facilitator.signed", "capturing"],
    ["facilitator.mined", "capturing"],
  ])("M13 at %s", async (name, state) => {
    shop.world.upstream.answer = (_, res) => void res.end("x".repeat(bytes));
    const before = await balanceOf(sandboxAddresses.seller);
    const headers = await permitted();
    await restart(`${name}:hang`);
    const lost = gateway.ask("/bytes", { headers }).catch((): "lost" => "lost");
    await eventually(async () => {
      expect((await shop.world.claims()).map((claim) => claim.state)).toEqual([state]);
      if (name === "facilitator.signed")
        expect(await rowsOf("select from $schema.settlements where state = 'sent'")).toHaveLength(1);
      if (name === "facilitator.mined") expect(await balanceOf(sandboxAddresses.seller)).toBe(before + used);
    });
    await die();
    expect(await lost).toBe("lost");
    await shop.settled();
    const isFree = state === "serving";
    expect((await shop.world.claims()).map((claim) => claim.state)).toEqual([
      isFree ? "released" : "captured",
    ]);
    expect(await balanceOf(sandboxAddresses.seller)).toBe(before + (isFree ? 0n : used));
    // The same permit: what it has paid for, or a first purchase of it; made once, paid once.
    const answer = await gateway.ask("/bytes", { headers });
    expect([answer.status, answer.body.length]).toEqual([200, bytes]);
    expect(await balanceOf(sandboxAddresses.seller)).toBe(before + used);
    expect(shop.world.upstream.requests).toHaveLength(1);
  });
});
