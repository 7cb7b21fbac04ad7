import { invariant, newId, systemClock } from "@remit/kernel";
import type { JsonObject } from "@remit/protocol";
import { eventually, sandboxKeys } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { GatewayProcess } from "./gateway-process.ts";
import { challengeFor, entryFor, mpp, signIn, transfer, version2 } from "./payers.ts";
import { type RailsProcesses, startRailsProcesses } from "./rails-process.ts";
import { createAgent } from "./world.ts";

let shop: RailsProcesses;
let gateway: GatewayProcess;

beforeAll(async () => {
  shop = await startRailsProcesses();
  gateway = await shop.start({ settings: { REMIT_LOG_LEVEL: "debug" } });
});
afterAll(() => shop.close());

/** What nobody but its owner may read. */
const secrets = new Set<string>([sandboxKeys.facilitator, sandboxKeys.facilitator.slice(2)]);

function signatureOf({ signature }: JsonObject): string {
  invariant(typeof signature === "string", "a transfer is signed");
  return signature;
}

async function payByAll(): Promise<number[]> {
  const ask = async (headers: Record<string, string>): Promise<number> =>
    (await gateway.ask("/demo/report", { headers })).status;
  // An upstream that was down is left alone for a while, and nobody is asked to pay for it.
  await eventually(async () => expect((await gateway.ask("/demo/report")).status).toBe(402));
  const unpaid = await gateway.ask("/demo/report");
  const spt = await shop.sandbox.token({ amount: 1000 });
  const payload = await transfer();
  const named = newId("request");
  const mandate = createAgent(shop.world).pay(unpaid);
  const proof = await signIn(systemClock.now());
  secrets.add(spt).add(signatureOf(payload)).add(named);
  for (const value of [...Object.values(mandate), ...Object.values(proof)])
    secrets.add(value.replace(/^(DPoP|Bearer|Payment) /, ""));
  const statuses = [];
  for (const headers of [
    mandate,
    mpp(challengeFor(unpaid, "stripe"), { spt }),
    { ...version2(entryFor(unpaid, "exact"), payload, named), ...proof },
  ])
    statuses.push(await ask(headers), await ask(headers));
  return statuses;
}

test("G12 whatever goes well or wrong, the log holds nothing by which anybody could pay, sign in or fetch what was paid for", async () => {
  secrets.add(shop.sandbox.stripe.apiKey);
  expect(await payByAll()).toEqual([200, 200, 200, 200, 200, 200]);
  shop.world.upstream.answer = (req) => void req.socket.destroy();
  await payByAll();
  shop.world.upstream.answer = (_, res) => void res.end("the report");
  await shop.sandbox.fail("payment_intents.create", { action: "error_500" });
  shop.world.issuer.trouble = () => "500";
  await payByAll();
  shop.world.issuer.trouble = () => undefined;
  await shop.sandbox.fail("payment_intents.create", { action: "decline" });
  await payByAll();
  const torn = [...secrets].map((secret) =>
    gateway.ask("/demo/report", { headers: { "X-PAYMENT": secret } }),
  );
  await Promise.all(torn);
  await gateway.kill("SIGTERM");
  const said = gateway.output();
  expect(said.split("\n").length).toBeGreaterThan(20);
  const told = [...secrets].filter((secret) => secret.length >= 12 && said.includes(secret));
  expect(told).toEqual([]);
});
