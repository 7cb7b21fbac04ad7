import { request } from "node:http";
import { systemClock } from "@remit/kernel";
import { watchPressure } from "@remit/platform/host";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Api, agentOf, merchantOf, openApi, walletOf } from "./charging/api.ts";
import { createWorld, giveMandate, purchase, type World } from "./charging/world.ts";
import { newClient, type OAuthClient } from "./client.ts";
import { type Running, startServer } from "./running.ts";

const pressureOf = () => watchPressure({ clock: systemClock, underWayMax: 2, critical: { underWayMax: 4 } });

/** Requests whose bodies never end, until they are hung up. */
function flood(origin: string, path: string, headers: Record<string, string> = {}) {
  const open = request(origin + path, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "content-length": "9",
      "idempotency-key": "k",
      ...headers,
    },
  });
  open.on("error", () => undefined);
  open.flushHeaders();
  return { end: () => open.destroy() };
}

describe("D12 under a flood of new charges", () => {
  const pressure = pressureOf();
  let world: World;
  let api: Api;
  beforeAll(async () => {
    world = await createWorld();
    api = await openApi(world, { pressure });
  });
  afterAll(async () => {
    await api.close();
    await world.close();
  });

  const post = (path: string, body: unknown = {}, as = merchantOf(world)) =>
    api.send({ as, method: "POST", path, body });
  const buy = async () => {
    const mandate = await giveMandate(world);
    const made = await post("/api/v1/charges", purchase(world, { mandate }));
    expect(made.status).toBe(201);
    return { mandate, path: `/api/v1/charges/${String(made.body["id"])}` };
  };

  test("D12 a new one is refused while what is held is captured or released and what is given is revoked, until those are too many as well", async () => {
    const [captured, released, revoked, another] = [await buy(), await buy(), await buy(), await buy()];
    const unsent = purchase(world, { mandate: await giveMandate(world) });
    const headers = { authorization: JSON.stringify(merchantOf(world)) };
    const flooding = [1, 2].map(() => flood(api.origin, "/api/v1/charges", headers));
    await eventually(() => expect(pressure.reason("sheddable")).toBe("crowded"));
    const refused = await post("/api/v1/charges", unsent, merchantOf(world));
    expect(refused).toMatchObject({ status: 503, body: { code: "unavailable" } });
    expect(refused.headers.get("retry-after")).toBe("1");
    const wallet = walletOf(world);
    const served = [
      await post(`${captured.path}/capture`, { response_digest: "r".repeat(43) }),
      await post(`${captured.path}/refund`, { amount_minor: 100 }),
      await post(`${released.path}/release`, { reason: "cancelled" }),
      await post(`/api/v1/mandates/${released.mandate.id}/suspend`, {}, wallet),
      await post(`/api/v1/mandates/${revoked.mandate.id}/revoke`, {}, wallet),
      await post(`/api/v1/wallet/agents/${agentOf(world).client}/freeze`, {}, wallet),
      await post("/api/v1/wallet/freeze", {}, wallet),
    ];
    expect(served.map(({ status, text }) => [status, status === 200 ? "" : text])).toEqual(
      served.map(() => [200, ""]),
    );
    expect((await post("/api/v1/wallet/unfreeze", {}, wallet)).status).toBe(503);
    flooding.push(...[1, 2].map(() => flood(api.origin, `${another.path}/capture`, headers)));
    await eventually(() => expect(pressure.reason("critical")).toBe("crowded"));
    for (const path of [`${another.path}/capture`, `${another.path}/release`]) {
      const late = await post(path);
      expect([late.status, late.headers.get("retry-after")]).toEqual([503, "1"]);
    }
    for (const one of flooding) one.end();
    await eventually(() => expect(pressure.reason("sheddable")).toBeUndefined());
    // Nothing of it was begun, so that the same may be sent again; meanwhile its agent has been stopped.
    expect(await post("/api/v1/charges", unsent)).toMatchObject({
      status: 403,
      body: { code: "agent_frozen" },
    });
  });
});

describe("D12 under a flood of requests for tokens", () => {
  const pressure = pressureOf();
  let running: Running;
  let agent: OAuthClient;
  beforeAll(async () => {
    running = await startServer({}, { pressure });
    agent = await newClient(running, "agent");
  });
  afterAll(() => running.close());

  test("D12 none is given, and one that was is revoked", async () => {
    const { body } = await agent.credentials({ resource: running.issuer });
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const flooding = [1, 2].map(() => flood(running.issuer, "/oauth/token", form));
    await eventually(() => expect(pressure.reason("sheddable")).toBe("crowded"));
    expect((await agent.credentials({ resource: running.issuer })).status).toBe(503);
    const token = String(body["access_token"]);
    for (const path of ["/oauth/revoke", "/api/v1/token/revoke"])
      expect([path, (await agent.post(path, { token })).status]).toEqual([path, 200]);
    for (const one of flooding) one.end();
    await eventually(() => expect(pressure.reason("sheddable")).toBeUndefined());
  });
});
