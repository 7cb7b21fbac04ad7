import { createAgent } from "@remit/agent";
import { afterAll, beforeAll, expect, test } from "vitest";
import { approvalsOf, openWallet, type Wallet } from "./asking.ts";
import { consentAtDevice, decide } from "./at-device.ts";
import { Browser } from "./browser.ts";
import { newClient, type OAuthClient } from "./client.ts";
import { mandateRequest, shop } from "./consent.ts";
import { principal, type Running, startServer } from "./running.ts";

let running: Running;
let client: OAuthClient;
let wallet: Wallet;

beforeAll(async () => {
  running = await startServer();
  client = await newClient(running, "agent");
  wallet = await openWallet(running);
});
afterAll(() => running.close());

const wish = { details: mandateRequest, resource: shop };

/** The SDK against the server as it is. It waits for nothing, so that the server has to slow it down. */
function agentOf(pause: (ms: number) => Promise<void> = async () => undefined) {
  return createAgent({ issuer: running.issuer, clientId: client.id, keys: client.keys, pause });
}

test("the agent SDK is given a mandate by a code on another screen, and goes on from its handle after a restart", async () => {
  const asked = await agentOf().requestMandate({ ...wish, mode: "device" });
  expect(asked.verificationUriComplete).toContain(asked.userCode);
  const browser = new Browser();
  const { issuer } = running;
  await decide(browser, await consentAtDevice({ issuer, browser, code: asked.userCode }), "approve");
  const restarted = agentOf();
  const held = await restarted.resumeMandate(asked.handle).wait();
  expect(held).toMatchObject({ resource: shop, details: { currency: "EUR" } });
  expect(await restarted.mandates()).toEqual([held]);
  await restarted.refresh(held.id);
});

test("the agent SDK asks a person, is slowed down, and is given what the person allowed", async () => {
  const waits: number[] = [];
  let approved = false;
  const agent = agentOf(async (ms) => {
    waits.push(ms / 1000);
    if (waits.length < 4 || approved) return;
    approved = true;
    const [waiting] = await approvalsOf(wallet, "pending");
    await wallet.send({ method: "POST", path: `/api/v1/approvals/${String(waiting?.["id"])}/approve` });
  });
  const asked = await agent.requestMandate({
    ...wish,
    mode: "ciba",
    loginHint: principal.email,
    bindingMessage: "Order 17",
  });
  const held = await asked.wait();
  expect(held.id).toMatch(/^mnd_/);
  expect(waits).toEqual([5, 5, 10, 15]);
});

test("the agent SDK hears that the person declined, and that somebody is nobody to it", async () => {
  const agent = agentOf(async () => {
    const [waiting] = await approvalsOf(wallet, "pending");
    await wallet.send({ method: "POST", path: `/api/v1/approvals/${String(waiting?.["id"])}/deny` });
  });
  const asked = await agent.requestMandate({ ...wish, mode: "ciba", loginHint: running.account });
  await expect(asked.wait()).rejects.toMatchObject({ code: "access_denied" });
  await expect(
    agent.requestMandate({ ...wish, mode: "ciba", loginHint: "nobody@example.com" }),
  ).rejects.toMatchObject({ code: "unknown_user_id" });
});
